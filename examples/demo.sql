-- The questions of the demo: a title in a comment, then one statement. Every ORDER BY is complete,
-- so that there is one right answer.

-- Flights and delays by month
SELECT substr(date, 1, 7) AS month, count(*) AS flights, avg(delay) AS mean_delay,
       max(delay) AS worst_delay
FROM flights GROUP BY month ORDER BY month;

-- The busiest airports
SELECT a.name, a.city, a.state, count(*) AS departures, sum(f.distance) AS miles
FROM flights AS f JOIN airports AS a ON a.iata = f.origin
GROUP BY f.origin ORDER BY departures DESC, a.name LIMIT 10;

-- When of the day to fly
SELECT CAST(strftime('%H', date) AS INTEGER) AS hour, count(*) AS flights,
       avg(delay) AS mean_delay
FROM flights GROUP BY hour ORDER BY mean_delay, hour LIMIT 8;

-- Delays by day of the week, 0 is Sunday
SELECT strftime('%w', date) AS weekday, count(*) AS flights, avg(delay) AS mean_delay,
       sum(delay > 60) AS over_an_hour
FROM flights GROUP BY weekday ORDER BY weekday;

-- Routes with the longest mean delay
SELECT origin, destination, count(*) AS flights, avg(delay) AS mean_delay
FROM flights GROUP BY origin, destination HAVING count(*) >= 100
ORDER BY mean_delay DESC, origin, destination LIMIT 10;

-- How many airports, routes and days there are
SELECT count(DISTINCT origin) AS airports, count(DISTINCT origin || destination) AS routes,
       count(DISTINCT substr(date, 1, 10)) AS days, count(*) AS flights
FROM flights;

-- Traffic between states
SELECT o.state AS from_state, d.state AS to_state, count(*) AS flights, avg(f.delay) AS mean_delay
FROM flights AS f JOIN airports AS o ON o.iata = f.origin
     JOIN airports AS d ON d.iata = f.destination
WHERE o.state <> d.state
GROUP BY o.state, d.state ORDER BY flights DESC, from_state, to_state LIMIT 10;

-- How late is late
SELECT CASE WHEN delay <= 0 THEN '1 on time or early' WHEN delay <= 15 THEN '2 up to 15 minutes'
            WHEN delay <= 60 THEN '3 up to an hour' WHEN delay <= 180 THEN '4 up to 3 hours'
            ELSE '5 longer' END AS how_late,
       count(*) AS flights, round(100.0 * count(*) / (SELECT count(*) FROM flights), 2) AS percent
FROM flights GROUP BY how_late ORDER BY how_late;

-- Flights from cities named after saints, by LIKE
SELECT a.city, count(*) AS flights, avg(f.delay) AS mean_delay
FROM flights AS f JOIN airports AS a ON a.iata = f.origin
WHERE a.city LIKE 'San %' OR a.city LIKE 'St. %' OR a.city LIKE 'Saint %'
GROUP BY a.city ORDER BY flights DESC, a.city LIMIT 10;

-- Long flights that were early, among those longer than the mean
SELECT origin, destination, distance, count(*) AS flights, min(delay) AS best
FROM flights
WHERE distance > (SELECT avg(distance) FROM flights) AND delay < -30
GROUP BY origin, destination, distance ORDER BY flights DESC, origin, destination, distance
LIMIT 10;

-- Airports with flights, but none on the busiest day
SELECT a.iata, a.name, a.state FROM airports AS a
WHERE a.iata IN (SELECT origin FROM flights)
  AND a.iata NOT IN (
      SELECT origin FROM flights WHERE substr(date, 1, 10) = (
          SELECT substr(date, 1, 10) AS day FROM flights
          GROUP BY day ORDER BY count(*) DESC, day LIMIT 1))
ORDER BY a.iata LIMIT 10;

-- The longest delays, with names
SELECT f.date, f.delay, o.city AS origin, d.city AS destination
FROM flights AS f JOIN airports AS o ON o.iata = f.origin
     JOIN airports AS d ON d.iata = f.destination
ORDER BY f.delay DESC, f.date, o.city, d.city LIMIT 10;

-- Days on which airports were much worse than usual
WITH daily AS (
    SELECT origin, substr(date, 1, 10) AS day, avg(delay) AS mean_delay, count(*) AS flights
    FROM flights GROUP BY origin, day),
usual AS (SELECT origin, avg(delay) AS mean_delay FROM flights GROUP BY origin)
SELECT daily.origin, daily.day, daily.flights, daily.mean_delay, usual.mean_delay AS usual_delay
FROM daily JOIN usual ON usual.origin = daily.origin
WHERE daily.flights >= 50 AND daily.mean_delay > 5 * usual.mean_delay
ORDER BY daily.mean_delay DESC, daily.origin, daily.day LIMIT 10;
