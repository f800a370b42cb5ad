{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['user_growth'], 'family': 'users'}
) }}

with

sign_up_days as (
    select * from {{ ref('int_sign_ups_scoped') }}
),

user_days as (
    select * from {{ ref('int_user_days_scoped') }}
),

first_days as (
    select * from {{ ref('int_user_first_days') }}
),

excluded_sign_ups as (
    select * from {{ ref('int_excluded_sign_ups') }}
),

scope_products as (
    select * from {{ ref('int_scope_products') }}
),

completeness as (
    select * from {{ ref('int_completeness') }} where feed_set = 'user_growth'
),

trailing_days as (
    select * from {{ ref('int_user_trailing_days') }}
),

period_days as (
    select * from {{ ref('int_period_days') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

spine as (
    {{ spine_of('users') }}
),

days_active as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        count(*) as active_user_days
    from user_days
    group by all
),

excluded_days as (
    select
        s.scope_kind,
        s.product_id,
        s.scope_id,
        x.local_date,
        sum(x.excluded_sign_ups) as excluded_sign_ups
    from excluded_sign_ups as x
    inner join scope_products as s on x.source_product_id = s.source_product_id
    where s.scope_kind in ('company', 'product')
    group by all
),

days as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        sum(sign_ups) as sign_ups,
        sum(active_user_days) as active_user_days,
        sum(excluded_sign_ups) as excluded_sign_ups
    from (
        select * from sign_up_days
        union all by name
        select * from days_active
        union all by name
        select * from excluded_days
    ) as measures
    group by all
),

-- a user is active on the first day of the period they came; each period once
first_in_period as (
    select
        a.scope_kind,
        a.product_id,
        a.scope_id,
        d.grain,
        d.period_start,
        a.entity,
        min(a.local_date) as local_date
    from user_days as a
    inner join period_days as d on a.local_date = d.as_of_date
    group by all
),

users_classed as (
    select
        a.scope_kind,
        a.product_id,
        a.scope_id,
        a.grain,
        a.period_start,
        a.local_date,
        f.first_day >= a.period_start as is_new,
        b.entity is not null as is_retained
    from first_in_period as a
    inner join touched as t on a.grain = t.grain and a.period_start = t.period_start
    inner join periods as p on a.grain = p.grain and a.period_start = p.period_start
    inner join first_days as f on a.product_id = f.product_id and a.entity = f.entity
    left join first_in_period as b
        on
            a.scope_kind = b.scope_kind
            and a.product_id = b.product_id
            and a.scope_id = b.scope_id
            and a.entity = b.entity
            and a.grain = b.grain
            and p.preceding_start = b.period_start
),

unique_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        grain,
        period_start,
        local_date,
        count(*) as active_users,
        count_if(is_new and not is_retained) as new_active_users,
        count_if(is_retained) as retained_users,
        count_if(not is_new and not is_retained) as resurrected_users
    from users_classed
    group by all
),

preceding_actives as (
    select
        scope_kind,
        product_id,
        scope_id,
        grain,
        period_start,
        count(*) as active_users
    from first_in_period
    group by all
),

summed as (
    {{ summed_to_date(['sign_ups', 'active_user_days', 'excluded_sign_ups']) }}
),

uniques_summed as (
    {{ summed_to_date(
        ['active_users', 'new_active_users', 'retained_users', 'resurrected_users'],
        days='unique_days', by_period=true
    ) }}
),

joined as (
    select
        {{ kpi_keys('s') }},
        coalesce(s.sign_ups, 0)::bigint as sign_ups,
        r.total_users,
        (r.total_users - coalesce(s.sign_ups, 0))::bigint as total_users_before,
        coalesce(s.excluded_sign_ups, 0)::bigint as excluded_sign_ups,
        coalesce(s.active_user_days, 0)::bigint as active_user_days,
        c.landed_days,
        c.landed_days_preceding > 0 as has_preceding,
        coalesce(u.active_users, 0)::bigint as active_users,
        coalesce(u.new_active_users, 0)::bigint as new_active_users,
        coalesce(u.retained_users, 0)::bigint as retained_users,
        coalesce(u.resurrected_users, 0)::bigint as resurrected_users,
        coalesce(p.active_users, 0)::bigint as active_users_before,
        r.wau,
        r.mau,
        r.active_user_days_28,
        r.landed_days_28
    from summed as s
    inner join uniques_summed as u
        on
            s.scope_kind = u.scope_kind
            and s.product_id = u.product_id
            and s.scope_id = u.scope_id
            and s.grain = u.grain
            and s.period_start = u.period_start
            and s.as_of_date = u.as_of_date
    inner join trailing_days as r
        on
            s.scope_kind = r.scope_kind
            and s.product_id = r.product_id
            and s.scope_id = r.scope_id
            and s.as_of_date = r.as_of_date
    inner join completeness as c
        on
            s.scope_kind = c.scope_kind
            and s.product_id = c.product_id
            and s.scope_id = c.scope_id
            and s.grain = c.grain
            and s.period_start = c.period_start
            and s.as_of_date = c.as_of_date
    left join preceding_actives as p
        on
            s.scope_kind = p.scope_kind
            and s.product_id = p.product_id
            and s.scope_id = p.scope_id
            and s.grain = p.grain
            and s.preceding_start = p.period_start
    where s.is_reported
),

-- accounting against a period of which nothing landed is unknown
accounted as (
    select
        j.*,
        case when j.has_preceding then j.active_users_before - j.retained_users end as churned
    from joined as j
)

select
    {{ kpi_keys('a') }},
    a.sign_ups,
    a.total_users,
    a.total_users_before,
    {{ ratio('a.sign_ups', 'a.total_users_before') }} as user_growth_rate,
    a.excluded_sign_ups,
    a.active_users,
    a.active_user_days,
    a.landed_days,
    {{ ratio('a.active_user_days', 'a.landed_days') }} as dau,
    a.wau,
    a.mau,
    {{ ratio('a.active_user_days_28', 'a.landed_days_28') }} as dau_28,
    {{ ratio(ratio('a.active_user_days_28', 'a.landed_days_28'), 'a.mau') }} as stickiness,
    case when a.has_preceding then a.new_active_users end as new_active_users,
    case when a.has_preceding then a.retained_users end as retained_users,
    case when a.has_preceding then a.resurrected_users end as resurrected_users,
    a.churned as churned_users,
    case when a.has_preceding then a.new_active_users + a.resurrected_users end as gained_users,
    {{ ratio('a.new_active_users + a.resurrected_users', 'a.churned') }} as quick_ratio
from accounted as a
