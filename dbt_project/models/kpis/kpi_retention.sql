{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'matured', 'feeds': ['user_growth'], 'family': 'users'}
) }}

with

scopes as (
    select * from {{ ref('int_scopes') }} where family = 'users'
),

period_days as (
    select * from {{ ref('int_period_days') }} where is_reported
),

sign_up_days as (
    select * from {{ ref('int_sign_up_days') }}
),

days as (
    select max(day) as last_day from {{ ref('int_calendar_days') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'matured'
),

periods as (
    select p.*
    from period_days as p
    inner join touched as t on p.grain = t.grain and p.period_start = t.period_start
),

sign_ups_summed as (
    select
        u.scope_kind,
        u.product_id,
        u.scope_id,
        p.grain,
        p.period_start,
        sum(u.d1_observed_users) as d1_observed_users,
        sum(u.d1_retained_users) as d1_retained_users,
        sum(u.d7_observed_users) as d7_observed_users,
        sum(u.d7_retained_users) as d7_retained_users,
        sum(u.d30_observed_users) as d30_observed_users,
        sum(u.d30_retained_users) as d30_retained_users,
        sum(u.activation_observed_users) as activation_observed_users,
        sum(u.activated_users) as activated_users
    from periods as p
    inner join sign_up_days as u on p.period_start <= u.local_date and u.local_date < p.period_end
    where p.as_of_date = p.last_day
    group by u.scope_kind, u.product_id, u.scope_id, p.grain, p.period_start
),

-- campaigns have values of finished periods with sign-ups only
spine as (
    select
        s.scope_kind,
        s.product_id,
        s.scope_id,
        p.grain,
        p.period_start,
        p.as_of_date,
        p.period_end,
        p.last_day
    from scopes as s
    inner join periods as p on s.exists_from <= p.as_of_date and p.period_start < s.exists_to
    union all
    select
        u.scope_kind,
        u.product_id,
        u.scope_id,
        p.grain,
        p.period_start,
        p.as_of_date,
        p.period_end,
        p.last_day
    from sign_ups_summed as u
    inner join periods as p on u.grain = p.grain and u.period_start = p.period_start and p.as_of_date = p.last_day
    where u.scope_kind = 'campaign'
),

-- a value is there once all whom the period took in could be observed
matured as (
    select
        {{ kpi_keys('s') }},
        {% for name, days_after in [('d1_retained', 1), ('d7_retained', 7), ('d30_retained', 30), ('activated', 7)] -%}
        case
            when s.as_of_date = s.last_day and s.last_day + {{ days_after }} <= d.last_day
                then coalesce(u.{{ name }}_users, 0)
        end::bigint as {{ name }}_users,
        {%- set observed = name.replace('retained', 'observed').replace('activated', 'activation_observed') %}
        case
            when s.as_of_date = s.last_day and s.last_day + {{ days_after }} <= d.last_day
                then coalesce(u.{{ observed }}_users, 0)
        end::bigint as {{ observed }}_users{{ "," if not loop.last }}
        {% endfor %}
    from spine as s
    cross join days as d
    left join sign_ups_summed as u
        on
            s.scope_kind = u.scope_kind
            and s.product_id = u.product_id
            and s.scope_id = u.scope_id
            and s.grain = u.grain
            and s.period_start = u.period_start
)

select
    {{ kpi_keys('m') }},
    m.activated_users,
    m.activation_observed_users,
    {{ ratio('m.activated_users', 'm.activation_observed_users') }} as activation_rate,
    m.d1_retained_users,
    m.d1_observed_users,
    {{ ratio('m.d1_retained_users', 'm.d1_observed_users') }} as d1_retention,
    m.d7_retained_users,
    m.d7_observed_users,
    {{ ratio('m.d7_retained_users', 'm.d7_observed_users') }} as d7_retention,
    m.d30_retained_users,
    m.d30_observed_users,
    {{ ratio('m.d30_retained_users', 'm.d30_observed_users') }} as d30_retention
from matured as m
