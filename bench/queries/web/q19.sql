SELECT user_id FROM views WHERE user_id = (SELECT max(user_id) FROM views);
