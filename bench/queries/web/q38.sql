SELECT address, count(*) AS n FROM views WHERE site_id = 3 AND is_reload = 0 AND is_link <> 0 AND is_download = 0 GROUP BY address ORDER BY n DESC, address LIMIT 10 OFFSET 100;
