SELECT min(view_date), max(view_date) FROM views;
