SELECT search_phrase FROM views WHERE search_phrase <> '' ORDER BY search_phrase LIMIT 10;
