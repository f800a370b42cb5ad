{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['user_growth']}
) }}

with

user_values as (
    select * from {{ ref('int_user_values') }}
),

transactions as (
    select * from {{ ref('int_transactions_summed') }} where points_redeemed > 0
),

active_days as (
    select * from {{ ref('int_active_days') }}
),

populations as (
    select * from {{ ref('int_populations') }}
),

calendar as (
    select max(day) as last_day from {{ ref('int_calendar_days') }}
),

-- a comparison is made when its period is over: on most days there is none to make
periods as (
    select
        p.grain,
        p.period_start
    from {{ ref('dim_periods') }} as p
    inner join {{ ref('int_periods_touched') }} as t
        on p.grain = t.grain and p.period_start = t.period_start and t.layer = 'values'
    where p.grain <> 'day' and p.last_day <= (select c.last_day from calendar as c)
),

days as (
    select
        d.grain,
        d.period_start,
        d.as_of_date as local_date
    from {{ ref('int_period_days') }} as d
    semi join periods as p on d.grain = p.grain and d.period_start = p.period_start
),

needed_days as (
    select distinct local_date from days
),

tiers as (
    {{ tiers_of('user_values') }}
),

-- who had brought in something by the day before the period, by how much
tiered as (
    select
        p.grain,
        p.period_start,
        t.population,
        t.user_key,
        t.tier
    from tiers as t
    inner join periods as p on t.day = p.period_start - 1
),

tiered_users as (
    select distinct
        population,
        user_key
    from tiered
),

redeemed as (
    select distinct
        d.grain,
        d.period_start,
        p.population,
        t.user_key
    from transactions as t
    inner join populations as p on t.source_product_id = p.source_product_id
    inner join days as d on t.local_date = d.local_date
),

-- a day of activity in two products of a space is one
tiered_active as (
    select distinct
        p.population,
        a.user_key,
        a.local_date
    from active_days as a
    inner join needed_days as n on a.local_date = n.local_date
    inner join populations as p on a.source_product_id = p.source_product_id
    semi join tiered_users as u on p.population = u.population and a.user_key = u.user_key
),

days_active as (
    select
        d.grain,
        d.period_start,
        a.population,
        a.user_key,
        count(*) as active_days
    from tiered_active as a
    inner join days as d on a.local_date = d.local_date
    group by all
)

select
    t.population,
    t.tier,
    t.grain,
    count(r.user_key) as redeemers,
    coalesce(sum(a.active_days) filter (where r.user_key is not null), 0)::bigint as active_days_of_redeemers,
    count(*) filter (where r.user_key is null) as others,
    coalesce(sum(a.active_days) filter (where r.user_key is null), 0)::bigint as active_days_of_others,
    t.period_start
from tiered as t
left join redeemed as r
    on
        t.grain = r.grain
        and t.period_start = r.period_start
        and t.population = r.population
        and t.user_key = r.user_key
left join days_active as a
    on
        t.grain = a.grain
        and t.period_start = a.period_start
        and t.population = a.population
        and t.user_key = a.user_key
group by all
