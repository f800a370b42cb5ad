{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={
        'reach': 'onward', 'feeds': ['page_views', 'traffic', 'exposure', 'user_growth'], 'family': 'economics'
    }
) }}

with

economics_days as (
    select * from {{ ref('int_economics_days_scoped') }}
),

revenue as not materialized (
    select * from {{ ref('kpi_revenue') }}
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
    {{ spine_of('exposure') }}
    union
    {{ spine_of('visits') }}
    union
    {{ spine_of('revenue') }}
),

-- a ratio of two feeds uses only the days of a product on which both landed
measured_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        {% for beside in ['visits', 'users'] -%}
        sum(exposures) filter (where is_cost_beside_{{ beside }}) as exposures_beside_{{ beside }},
        sum(cost) filter (where is_cost_beside_{{ beside }}) as cost_beside_{{ beside }},
        sum(rows_without_rate) filter (where is_cost_beside_{{ beside }}) as unrated_beside_{{ beside }},
        {% endfor -%}
        sum(visits) filter (where is_cost_beside_visits) as visits_beside_cost,
        sum(visits) filter (where is_users_beside_visits) as visits_beside_sign_ups,
        sum(sign_ups) filter (where is_users_beside_visits) as sign_ups_beside_visits,
        sum(new_customers) filter (where is_cost_beside_users) as new_customers_beside_cost,
        sum(gross_profit) filter (where is_cost_beside_users) as profit_beside_cost,
        sum(orders) filter (where is_cost_beside_users) as orders_beside_cost,
        sum(orders_with_value) filter (where is_cost_beside_users) as valued_beside_cost,
        sum(profits_unknown) filter (where is_cost_beside_users) as unknown_beside_cost
    from economics_days
    group by all
),

-- a campaign whose users did anything has a row, also where nothing was paid for it and nobody came
campaign_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        period_start as local_date
    from revenue
    where
        scope_kind = 'campaign'
        and grain = 'day'
        and period_start >= (select min(t.period_start) from touched as t)
),

days as (
    select * from measured_days
    union all by name
    select c.*
    from campaign_days as c
    anti join measured_days as m
        on
            c.scope_kind = m.scope_kind
            and c.product_id = m.product_id
            and c.scope_id = m.scope_id
            and c.local_date = m.local_date
),

summed_densely as (
    {{ summed_to_date(economics_measures()) }}
),

summed_sparsely as (
    {{ summed_sparsely(economics_measures(), ['campaign']) }}
),

summed as (
    select
        {{ kpi_keys('s') }},
        s.{{ economics_measures() | join(', s.') }}
    from summed_densely as s
    where s.is_reported
    union all by name
    select * exclude (last_day)
    from summed_sparsely
),

-- a cost is unknown where there were impressions and none had one, or a currency had no rate
judged as (
    select
        {{ kpi_keys('s') }},
        {% for beside in ['visits', 'users'] -%}
        case
            when s.unrated_beside_{{ beside }} > 0 then null
            when coalesce(s.exposures_beside_{{ beside }}, 0) = 0 then 0
            else s.cost_beside_{{ beside }}
        end::double as cost_beside_{{ beside }},
        {% endfor -%}
        coalesce(s.visits_beside_cost, 0)::bigint as visits_beside_cost,
        coalesce(s.visits_beside_sign_ups, 0)::bigint as visits_beside_sign_ups,
        coalesce(s.sign_ups_beside_visits, 0)::bigint as sign_ups_beside_visits,
        coalesce(s.new_customers_beside_cost, 0)::bigint as new_customers_beside_cost,
        case
            when s.unknown_beside_cost > 0 or (s.orders_beside_cost > 0 and s.valued_beside_cost = 0) then null
            else coalesce(s.profit_beside_cost, 0)
        end::double as profit_beside_cost
    from summed as s
),

users_joined as (
    select
        j.*,
        {{ ratio('j.cost_beside_users', 'j.new_customers_beside_cost') }} as cac,
        r.revenue,
        u.active_users,
        {{ ratio('r.gross_profit', 'u.active_users') }} as profit_per_user,
        u.churned_users,
        u.churned_users + u.retained_users as active_users_before
    from judged as j
    left join revenue as r
        on
            j.scope_kind = r.scope_kind
            and j.product_id = r.product_id
            and j.scope_id = r.scope_id
            and j.grain = r.grain
            and j.period_start = r.period_start
            and j.as_of_date = r.as_of_date
    left join users as u
        on
            j.scope_kind = u.scope_kind
            and j.product_id = u.product_id
            and j.scope_id = u.scope_id
            and j.grain = u.grain
            and j.period_start = u.period_start
            and j.as_of_date = u.as_of_date
),

-- what is told by the month is told of months alone
valued as (
    select
        j.*,
        case
            when j.grain = 'month'
                then {{ lifetime_value(
                    'j.profit_per_user', 'j.churned_users', 'j.active_users_before', smallest_base_of('ltv')
                ) }}
        end::double as ltv,
        case when j.grain = 'month' then {{ payback_months('j.cac', 'j.profit_per_user') }} end::double
            as payback_months
    from users_joined as j
)

select
    {{ kpi_keys('v') }},
    v.cost_beside_visits,
    v.visits_beside_cost,
    {{ ratio('v.cost_beside_visits', 'v.visits_beside_cost') }} as cost_per_visit,
    v.sign_ups_beside_visits,
    v.visits_beside_sign_ups,
    {{ ratio('v.sign_ups_beside_visits', 'v.visits_beside_sign_ups') }} as visit_to_sign_up_rate,
    v.revenue,
    v.active_users,
    {{ ratio('v.revenue', 'v.active_users') }} as arpu,
    v.profit_per_user,
    v.active_users_before,
    v.ltv,
    v.cost_beside_users,
    v.new_customers_beside_cost,
    v.cac,
    v.payback_months,
    {{ ratio('v.ltv', 'v.cac') }} as ltv_to_cac,
    v.profit_beside_cost - v.cost_beside_users as net_profit_beside_cost,
    {{ ratio('v.profit_beside_cost - v.cost_beside_users', 'v.cost_beside_users') }} as roi
from valued as v
