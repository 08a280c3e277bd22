SELECT search_phrase FROM views WHERE search_phrase <> '' ORDER BY view_time, search_phrase LIMIT 10;
