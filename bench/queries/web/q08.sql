SELECT ad_engine, count(*) AS n FROM views WHERE ad_engine <> 0 GROUP BY ad_engine ORDER BY n DESC, ad_engine;
