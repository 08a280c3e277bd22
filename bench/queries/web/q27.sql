SELECT site_id, avg(length(address)) AS size, count(*) AS n FROM views WHERE address <> '' GROUP BY site_id HAVING count(*) > 1000 ORDER BY size DESC LIMIT 25;
