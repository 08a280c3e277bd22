SELECT search_phrase FROM views WHERE search_phrase <> '' ORDER BY view_time, view_id LIMIT 10;
