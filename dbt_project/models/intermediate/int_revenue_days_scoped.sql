with

revenue_cells as (
    select * from {{ ref('int_revenue_cells') }}
)

select
    source_product_id,
    scope_kind,
    product_id,
    scope_id,
    min(currency_without_rate) as currency_without_rate,
    sum(orders)::bigint as orders,
    sum(orders_with_value)::bigint as orders_with_value,
    sum(revenue)::decimal(38, 6) as revenue,
    sum(gross_profit)::decimal(38, 6) as gross_profit,
    sum(points_issued)::decimal(38, 4) as points_issued,
    sum(points_redeemed)::decimal(38, 4) as points_redeemed,
    sum(points_cost)::decimal(38, 6) as points_cost,
    count_if(has_redemption_without_cost)::bigint as redemptions_without_cost,
    count_if(has_order_without_margin)::bigint as orders_without_margin,
    local_date
from revenue_cells
group by all
