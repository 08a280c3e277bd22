SELECT address, count(*) AS n FROM views GROUP BY address ORDER BY n DESC, address LIMIT 10;
