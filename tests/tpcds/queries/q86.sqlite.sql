-- Web payments by category and class, ranked within each level of the hierarchy.
WITH results AS (
    SELECT sum(ws_net_paid) AS total_sum, i_category, i_class
    FROM web_sales, date_dim d1, item
    WHERE d1.d_month_seq BETWEEN 1200 AND 1200 + 11 AND d1.d_date_sk = ws_sold_date_sk
      AND i_item_sk = ws_item_sk
    GROUP BY i_category, i_class),
results_rollup AS (
    SELECT total_sum, i_category, i_class, 0 AS lochierarchy FROM results
    UNION ALL
    SELECT sum(total_sum), i_category, NULL, 1 FROM results GROUP BY i_category
    UNION ALL
    SELECT sum(total_sum), NULL, NULL, 2 FROM results)
SELECT total_sum, i_category, i_class, lochierarchy,
       rank() OVER (PARTITION BY lochierarchy, CASE WHEN lochierarchy = 0 THEN i_category END
                    ORDER BY total_sum DESC) AS rank_within_parent
FROM results_rollup
ORDER BY lochierarchy DESC, CASE WHEN lochierarchy = 0 THEN i_category END,
         rank_within_parent, i_category, i_class
LIMIT 100;
