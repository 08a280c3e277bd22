SELECT * FROM views WHERE address LIKE '%google%' ORDER BY view_time, view_id LIMIT 10;
