SELECT region_id, sum(ad_engine), count(*) AS n, avg(window_width), count(DISTINCT user_id) FROM views GROUP BY region_id ORDER BY n DESC, region_id LIMIT 10;
