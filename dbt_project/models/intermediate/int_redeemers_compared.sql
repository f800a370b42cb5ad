{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['user_growth']}
) }}

with

user_values as (
    select * from {{ ref('int_user_values') }}
),

transactions as (
    select * from {{ ref('int_transactions_summed') }}
),

user_quarters as (
    select * from {{ ref('int_user_quarters') }}
),

populations as (
    select * from {{ ref('int_populations') }}
),

calendar as (
    select * from {{ ref('int_calendar_days') }}
),

-- a comparison is made when its period is over: on most days there is none to make
periods as (
    select
        p.grain,
        p.period_start,
        p.period_end
    from {{ ref('dim_periods') }} as p
    inner join {{ ref('int_periods_touched') }} as t
        on p.grain = t.grain and p.period_start = t.period_start and t.layer = 'values'
    where p.grain <> 'day' and p.last_day <= (select max(c.day) from calendar as c)
),

-- a period as bits of the one or two quarters it lies in
periods_as_bits as (
    select
        p.grain,
        p.period_start,
        c.quarter_start,
        bit_or({{ day_bit('c.day', 'c.quarter_start') }})::hugeint as days
    from periods as p
    inner join calendar as c on p.period_start <= c.day and c.day < p.period_end
    group by all
),

quarters as (
    select distinct quarter_start from periods_as_bits
),

-- from the first order that can count for a tier on
transactions_in_view as (
    select
        p.population,
        t.user_key,
        case when p.is_product then t.member_key else t.person_key end as active_key,
        t.points_redeemed,
        t.local_date
    from transactions as t
    inner join populations as p on t.source_product_id = p.source_product_id
    where t.local_date >= (select min(o.period_start) - {{ var('value_tier_days') }} from periods as o)
),

-- only these, on most days none, are ranked
values_before as (
    select v.*
    from user_values as v
    semi join periods as p on v.day = p.period_start - 1
),

tiers as (
    {{ tiers_of('values_before') }}
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

users as (
    select distinct
        population,
        user_key,
        active_key
    from transactions_in_view
),

redeemed as (
    select distinct
        p.grain,
        p.period_start,
        t.population,
        t.user_key
    from transactions_in_view as t
    inner join periods as p on p.period_start <= t.local_date and t.local_date < p.period_end
    where t.points_redeemed > 0
),

-- a day of activity in two products of a space is one
active as (
    select
        p.population,
        case when p.is_product then u.member_key else u.person_key end as active_key,
        u.quarter_start,
        bit_or(u.active_days) as active_days
    from user_quarters as u
    inner join quarters as q on u.quarter_start = q.quarter_start
    inner join populations as p on u.source_product_id = p.source_product_id
    group by all
),

users_active as (
    select
        u.population,
        u.user_key,
        a.quarter_start,
        a.active_days
    from users as u
    inner join active as a on u.population = a.population and u.active_key = a.active_key
),

days_active as (
    select
        t.grain,
        t.period_start,
        t.population,
        t.user_key,
        sum(bit_count(a.active_days & p.days))::bigint as active_days
    from tiered as t
    inner join periods_as_bits as p on t.grain = p.grain and t.period_start = p.period_start
    inner join users_active as a
        on t.population = a.population and t.user_key = a.user_key and p.quarter_start = a.quarter_start
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
