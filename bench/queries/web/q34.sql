SELECT 1 AS one, address, count(*) AS n FROM views GROUP BY one, address ORDER BY n DESC, address LIMIT 10;
