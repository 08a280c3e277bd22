SELECT user_id, strftime('%H', view_time) AS hour, search_phrase, count(*) AS n FROM views GROUP BY user_id, hour, search_phrase ORDER BY n DESC, user_id, hour, search_phrase LIMIT 10;
