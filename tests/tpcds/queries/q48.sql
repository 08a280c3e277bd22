-- Quantity sold to one of three kinds of customers in one of three groups of states.
SELECT sum(ss_quantity)
FROM store_sales, store, customer_demographics, customer_address, date_dim
WHERE s_store_sk = ss_store_sk AND ss_sold_date_sk = d_date_sk AND d_year = 2000
  AND ((cd_demo_sk = ss_cdemo_sk AND cd_marital_status = 'M'
        AND cd_education_status = '4 yr Degree' AND ss_sales_price BETWEEN 10.0 AND 150.0)
       OR (cd_demo_sk = ss_cdemo_sk AND cd_marital_status = 'D'
           AND cd_education_status = '2 yr Degree' AND ss_sales_price BETWEEN 5.0 AND 100.0)
       OR (cd_demo_sk = ss_cdemo_sk AND cd_marital_status = 'S'
           AND cd_education_status = 'College' AND ss_sales_price BETWEEN 15.0 AND 200.0))
  AND ((ss_addr_sk = ca_address_sk AND ca_country = 'United States'
        AND ca_state IN ('TN', 'OH', 'NY') AND ss_net_profit BETWEEN 0 AND 2000)
       OR (ss_addr_sk = ca_address_sk AND ca_country = 'United States'
           AND ca_state IN ('GA', 'SD', 'IN') AND ss_net_profit BETWEEN 150 AND 3000)
       OR (ss_addr_sk = ca_address_sk AND ca_country = 'United States'
           AND ca_state IN ('MI', 'AL', 'CA') AND ss_net_profit BETWEEN 50 AND 25000));
