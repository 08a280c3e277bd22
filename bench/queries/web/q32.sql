SELECT view_id, client_address, count(*) AS n, sum(is_reload), avg(window_width) FROM views GROUP BY view_id, client_address ORDER BY n DESC, view_id LIMIT 10;
