SELECT client_address, client_address - 1, client_address - 2, count(*) AS n FROM views GROUP BY client_address, client_address - 1, client_address - 2 ORDER BY n DESC, client_address LIMIT 10;
