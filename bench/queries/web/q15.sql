SELECT search_engine, search_phrase, count(*) AS n FROM views WHERE search_phrase <> '' GROUP BY search_engine, search_phrase ORDER BY n DESC, search_engine, search_phrase LIMIT 10;
