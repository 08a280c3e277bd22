SELECT mobile_model, count(DISTINCT user_id) AS users FROM views WHERE mobile_model <> '' GROUP BY mobile_model ORDER BY users DESC, mobile_model LIMIT 10;
