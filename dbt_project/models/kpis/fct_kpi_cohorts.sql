{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'cohorts', 'feeds': ['user_growth']}
) }}

with

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values' and grain in ('week', 'month')
),

days as (
    select * from {{ ref('int_calendar_days') }}
),

period_days as (
    select * from {{ ref('int_period_days') }} where grain in ('week', 'month')
),

users as not materialized (
    select * from {{ ref('int_users_known') }}
),

user_quarters as not materialized (
    select * from {{ ref('int_user_quarters') }}
),

sign_up_days as (
    select * from {{ ref('int_sign_up_days') }} where scope_kind in ('product', 'channel')
),

completeness as (
    select * from {{ ref('int_completeness') }} where feed_set = 'user_growth'
),

-- the touched periods that are over, as bits of each quarter they lie in
periods_over as (
    select
        p.grain,
        p.period_start,
        p.last_day
    from period_days as p
    inner join touched as t on p.grain = t.grain and p.period_start = t.period_start
    where p.as_of_date = p.last_day
),

periods_as_bits as (
    select
        p.grain,
        p.period_start,
        d.quarter_start,
        bit_or({{ day_bit('d.day', 'd.quarter_start') }})::hugeint as days
    from periods_over as p
    inner join days as d on p.period_start <= d.day and d.day <= p.last_day
    group by p.grain, p.period_start, d.quarter_start
),

-- who was active in a period, once
members_active as (
    select
        p.grain,
        p.period_start,
        u.person_key,
        u.member_key
    from user_quarters as u
    inner join periods_as_bits as p on u.quarter_start = p.quarter_start and (u.active_days & p.days) <> 0
    group by p.grain, p.period_start, u.person_key, u.member_key
),

persons_in_several as (
    select distinct person_key from users where is_in_several
),

-- of who signed up in several products, the first sign-up by a channel is the one over all products
sign_ups as not materialized (
    select
        source_product_id as product_id,
        channel,
        is_in_several,
        person_key,
        member_key,
        local_date
    from users
    union all
    select
        '(all)' as product_id,
        channel,
        is_in_several,
        person_key,
        min(member_key) as member_key,
        min(local_date) as local_date
    from users
    where is_in_several
    group by channel, is_in_several, person_key
),

sign_ups_dated as not materialized (
    select
        s.product_id,
        s.channel,
        s.is_in_several,
        s.person_key,
        s.member_key,
        p.grain,
        p.period_start as cohort_start
    from sign_ups as s
    inner join period_days as p on s.local_date = p.as_of_date
),

actives as (
    select
        s.product_id,
        s.channel,
        s.is_in_several,
        s.grain,
        s.cohort_start,
        a.period_start,
        count(*) as active
    from sign_ups_dated as s
    inner join members_active as a on s.member_key = a.member_key and s.grain = a.grain
    where s.product_id <> '(all)' and s.cohort_start <= a.period_start
    group by all
    union all
    select
        s.product_id,
        s.channel,
        s.is_in_several,
        s.grain,
        s.cohort_start,
        a.period_start,
        count(*) as active
    from sign_ups_dated as s
    inner join (
        select distinct
            m.grain,
            m.period_start,
            m.person_key
        from members_active as m
        semi join persons_in_several as i on m.person_key = i.person_key
    ) as a on s.person_key = a.person_key and s.grain = a.grain
    where s.product_id = '(all)' and s.cohort_start <= a.period_start
    group by all
),

actives_scoped as (
    select
        'product' as scope_kind,
        product_id,
        product_id as scope_id,
        grain,
        cohort_start,
        period_start,
        active
    from actives
    where product_id <> '(all)'
    union all
    select
        'channel' as scope_kind,
        product_id,
        channel as scope_id,
        grain,
        cohort_start,
        period_start,
        active
    from actives
    union all
    select
        'channel' as scope_kind,
        '(all)' as product_id,
        channel as scope_id,
        grain,
        cohort_start,
        period_start,
        active
    from actives
    where product_id <> '(all)' and not is_in_several
),

actives_summed as (
    select
        scope_kind,
        product_id,
        scope_id,
        grain,
        cohort_start,
        period_start,
        sum(active) as active
    from actives_scoped
    group by all
),

cohorts as (
    select
        s.scope_kind,
        s.product_id,
        s.scope_id,
        p.grain,
        p.period_start as cohort_start,
        sum(s.sign_ups) as users
    from sign_up_days as s
    inner join period_days as p on s.local_date = p.as_of_date
    group by all
)

-- a cohort nobody signed up in has no row; one of whom nobody came has 0, or NULL where nothing landed
select
    c.product_id,
    c.scope_kind,
    c.scope_id,
    c.grain as cohort_grain,
    c.cohort_start,
    {{ periods_between('c.grain', 'c.cohort_start', 'p.period_start') }} as "offset",
    c.users::bigint as users,
    case when l.landed_days > 0 then coalesce(a.active, 0) end::bigint as active
from cohorts as c
inner join periods_over as p on c.grain = p.grain and c.cohort_start <= p.period_start
inner join completeness as l
    on
        c.scope_kind = l.scope_kind
        and c.product_id = l.product_id
        and c.scope_id = l.scope_id
        and p.grain = l.grain
        and p.period_start = l.period_start
        and p.last_day = l.as_of_date
left join actives_summed as a
    on
        c.scope_kind = a.scope_kind
        and c.product_id = a.product_id
        and c.scope_id = a.scope_id
        and c.grain = a.grain
        and c.cohort_start = a.cohort_start
        and p.period_start = a.period_start
