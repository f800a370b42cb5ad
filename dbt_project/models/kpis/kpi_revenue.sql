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

users as (
    select * from {{ ref('kpi_users') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

period_days as (
    select * from {{ ref('int_period_days') }}
),

calendar as (
    select max(day) as last_day from {{ ref('int_calendar_days') }}
),

spine as (
    {{ spine_of('revenue') }}
),

-- a campaign whose users signed up or were active has a row, also where they bought nothing
campaign_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        period_start as local_date
    from users
    where
        scope_kind = 'campaign'
        and grain = 'day'
        and period_start >= (select min(t.period_start) from touched as t)
),

days as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        min(currency_without_rate) as currency_without_rate,
        {% for measure in revenue_measures() -%}
        sum({{ measure }}) as {{ measure }}{{ "," if not loop.last }}
        {% endfor %}
    from (
        select * from revenue_days
        union all by name
        select * from new_customer_days
        union all by name
        select * from campaign_days
    ) as measures
    group by all
),

summed_densely as (
    {{ summed_to_date(revenue_measures()) }}
),

customers_summed as (
    {{ summed_to_date(['customers'], days='customer_days', by_period=true) }}
),

summed_sparsely as (
    {{ summed_sparsely(revenue_measures(), ['campaign']) }}
),

sparse_customers as (
    select
        scope_kind,
        product_id,
        scope_id,
        grain,
        period_start,
        sum(customers) as customers
    from customer_days
    where scope_kind = 'campaign'
    group by all
),

summed as (
    select
        {{ kpi_keys('s') }},
        s.{{ revenue_measures() | join(', s.') }},
        c.customers
    from summed_densely as s
    inner join customers_summed as c
        on
            s.scope_kind = c.scope_kind
            and s.product_id = c.product_id
            and s.scope_id = c.scope_id
            and s.grain = c.grain
            and s.period_start = c.period_start
            and s.as_of_date = c.as_of_date
    where s.is_reported
    union all by name
    select
        {{ kpi_keys('s') }},
        s.{{ revenue_measures() | join(', s.') }},
        c.customers
    from summed_sparsely as s
    left join sparse_customers as c
        on
            s.scope_kind = c.scope_kind
            and s.product_id = c.product_id
            and s.scope_id = c.scope_id
            and s.grain = c.grain
            and s.period_start = c.period_start
),

currencies_without_rate as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        currency_without_rate
    from days
    where currency_without_rate is not null
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
        any_value(coalesce(s.customers, 0))::bigint as customers,
        any_value(coalesce(s.new_customers, 0))::bigint as new_customers,
        any_value(coalesce(s.points_issued, 0))::double as points_issued,
        any_value(coalesce(s.points_redeemed, 0))::double as points_redeemed,
        any_value(coalesce(s.points_cost, 0)) as points_cost,
        any_value(coalesce(s.redemptions_without_cost, 0)) as redemptions_without_cost
    from summed as s
    left join currencies_without_rate as x
        on
            s.scope_kind = x.scope_kind
            and s.product_id = x.product_id
            and s.scope_id = x.scope_id
            and s.period_start <= x.local_date
            and s.as_of_date >= x.local_date
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
