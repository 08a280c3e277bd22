-- Gross margin by category and class, ranked within each level of the hierarchy.
WITH results AS (
    SELECT sum(ss_net_profit) AS profit, sum(ss_ext_sales_price) AS price, i_category, i_class
    FROM store_sales, date_dim d1, item, store
    WHERE d1.d_year = 2001 AND d1.d_date_sk = ss_sold_date_sk AND i_item_sk = ss_item_sk
      AND s_store_sk = ss_store_sk AND s_state IN ('TN', 'GA', 'SD', 'OH', 'AL', 'IN', 'MI')
    GROUP BY i_category, i_class),
results_rollup AS (
    SELECT profit / price AS gross_margin, i_category, i_class, 0 AS lochierarchy FROM results
    UNION ALL
    SELECT sum(profit) / sum(price), i_category, NULL, 1 FROM results GROUP BY i_category
    UNION ALL
    SELECT sum(profit) / sum(price), NULL, NULL, 2 FROM results)
SELECT gross_margin, i_category, i_class, lochierarchy,
       rank() OVER (PARTITION BY lochierarchy, CASE WHEN lochierarchy = 0 THEN i_category END
                    ORDER BY gross_margin) AS rank_within_parent
FROM results_rollup
ORDER BY lochierarchy DESC, CASE WHEN lochierarchy = 0 THEN i_category END,
         rank_within_parent, i_category, i_class
LIMIT 100;
