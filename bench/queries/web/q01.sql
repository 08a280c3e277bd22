SELECT count(*) FROM views;
