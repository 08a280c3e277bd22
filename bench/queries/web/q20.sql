SELECT count(*) FROM views WHERE address LIKE '%google%';
