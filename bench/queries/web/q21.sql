SELECT search_phrase, min(address), count(*) AS n FROM views WHERE address LIKE '%google%' AND search_phrase <> '' GROUP BY search_phrase ORDER BY n DESC, search_phrase LIMIT 10;
