{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['user_growth'], 'family': 'revenue'}
) }}

with

revenue_days as (
    select * from {{ ref('int_revenue_days_scoped') }}
),

customer_days as (
    select * from {{ ref('int_customers_scoped') }}
),

new_customer_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        sum(new_customers) as new_customers,
        local_date
    from {{ ref('int_new_customers_scoped') }}
    group by all
),

spine as (
    {{ spine_of('revenue') }}
),

days as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        min(currency_without_rate) as currency_without_rate,
        sum(orders) as orders,
        sum(orders_with_value) as orders_with_value,
        sum(revenue) as revenue,
        sum(gross_profit) as gross_profit,
        sum(orders_without_margin) as orders_without_margin,
        sum(points_issued) as points_issued,
        sum(points_redeemed) as points_redeemed,
        sum(points_cost) as points_cost,
        sum(redemptions_without_cost) as redemptions_without_cost,
        sum(new_customers) as new_customers
    from (
        select * from revenue_days
        union all by name
        select * from new_customer_days
    ) as measures
    group by all
),

summed as (
    {{ summed_to_date([
        'orders', 'orders_with_value', 'revenue', 'gross_profit', 'orders_without_margin',
        'points_issued', 'points_redeemed', 'points_cost', 'redemptions_without_cost', 'new_customers'
    ]) }}
),

customers_summed as (
    {{ summed_to_date(['customers'], days='customer_days', by_period=true) }}
),

currencies_without_rate as (
    select
        s.scope_kind,
        s.product_id,
        s.scope_id,
        s.grain,
        s.period_start,
        d.local_date,
        d.currency_without_rate
    from spine as s
    inner join days as d
        on
            s.scope_kind = d.scope_kind
            and s.product_id = d.product_id
            and s.scope_id = d.scope_id
            and s.as_of_date = d.local_date
    where d.currency_without_rate is not null
),

joined as (
    select
        {{ kpi_keys('s') }},
        min(x.currency_without_rate) as currency_without_rate,
        any_value(coalesce(s.orders, 0))::bigint as orders,
        any_value(coalesce(s.orders_with_value, 0))::bigint as orders_with_value,
        any_value(coalesce(s.revenue, 0)) as revenue,
        any_value(coalesce(s.gross_profit, 0)) as gross_profit,
        any_value(coalesce(s.orders_without_margin, 0)) as orders_without_margin,
        any_value(coalesce(c.customers, 0))::bigint as customers,
        any_value(coalesce(s.new_customers, 0))::bigint as new_customers,
        any_value(coalesce(s.points_issued, 0))::double as points_issued,
        any_value(coalesce(s.points_redeemed, 0))::double as points_redeemed,
        any_value(coalesce(s.points_cost, 0)) as points_cost,
        any_value(coalesce(s.redemptions_without_cost, 0)) as redemptions_without_cost
    from summed as s
    inner join customers_summed as c
        on
            s.scope_kind = c.scope_kind
            and s.product_id = c.product_id
            and s.scope_id = c.scope_id
            and s.grain = c.grain
            and s.period_start = c.period_start
            and s.as_of_date = c.as_of_date
    left join currencies_without_rate as x
        on
            s.scope_kind = x.scope_kind
            and s.product_id = x.product_id
            and s.scope_id = x.scope_id
            and s.grain = x.grain
            and s.period_start = x.period_start
            and s.as_of_date >= x.local_date
    where s.is_reported
    group by all
),

-- what has no rate, no value or no margin is unknown, never 0
judged as (
    select
        j.*,
        case
            when j.currency_without_rate is null and (j.orders = 0 or j.orders_with_value > 0) then j.revenue
        end as known_revenue
    from joined as j
)

select
    {{ kpi_keys('j') }},
    j.currency_without_rate,
    j.orders,
    j.orders_with_value,
    j.known_revenue::double as revenue,
    case when j.known_revenue is not null and j.orders_without_margin = 0 then j.gross_profit end::double
        as gross_profit,
    j.customers,
    j.new_customers,
    j.points_issued,
    j.points_redeemed,
    case when j.redemptions_without_cost = 0 then j.points_cost end::double as points_cost
from judged as j
