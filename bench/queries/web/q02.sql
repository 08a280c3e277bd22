SELECT count(*) FROM views WHERE ad_engine <> 0;
