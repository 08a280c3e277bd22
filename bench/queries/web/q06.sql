SELECT count(DISTINCT search_phrase) FROM views;
