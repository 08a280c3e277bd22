-- Average stock of products, with subtotals by brand, class and category.
WITH grouped_rows AS (
    SELECT i_product_name, i_brand, i_class, i_category, inv_quantity_on_hand
    FROM inventory, date_dim, item
    WHERE inv_date_sk = d_date_sk AND inv_item_sk = i_item_sk AND d_month_seq BETWEEN 1200 AND 1211)
SELECT i_product_name, i_brand, i_class, i_category, avg(inv_quantity_on_hand) AS qoh
FROM grouped_rows
GROUP BY i_product_name, i_brand, i_class, i_category
UNION ALL
SELECT i_product_name, i_brand, i_class, NULL, avg(inv_quantity_on_hand) AS qoh
FROM grouped_rows
GROUP BY i_product_name, i_brand, i_class
UNION ALL
SELECT i_product_name, i_brand, NULL, NULL, avg(inv_quantity_on_hand) AS qoh
FROM grouped_rows
GROUP BY i_product_name, i_brand
UNION ALL
SELECT i_product_name, NULL, NULL, NULL, avg(inv_quantity_on_hand) AS qoh
FROM grouped_rows
GROUP BY i_product_name
UNION ALL
SELECT NULL, NULL, NULL, NULL, avg(inv_quantity_on_hand) AS qoh
FROM grouped_rows
ORDER BY qoh, i_product_name, i_brand, i_class, i_category
LIMIT 100;
