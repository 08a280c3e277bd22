SELECT avg(user_id) FROM views;
