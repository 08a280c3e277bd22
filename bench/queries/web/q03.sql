SELECT sum(ad_engine), count(*), avg(window_width) FROM views;
