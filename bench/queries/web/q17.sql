SELECT user_id, search_phrase, count(*) AS n FROM views GROUP BY user_id, search_phrase ORDER BY n DESC, user_id, search_phrase LIMIT 10;
