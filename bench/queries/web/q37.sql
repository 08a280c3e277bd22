SELECT title, count(*) AS n FROM views WHERE site_id = 3 AND view_date BETWEEN '2013-07-01' AND '2013-07-31' AND is_reload = 0 AND title <> '' GROUP BY title ORDER BY n DESC, title LIMIT 10;
