{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['user_growth'], 'family': 'users'}
) }}

with

sign_up_days as (
    select * from {{ ref('int_sign_up_days') }}
),

uniques as (
    select * from {{ ref('int_user_uniques') }}
),

excluded_sign_ups as (
    select * from {{ ref('int_excluded_sign_ups') }}
),

feed_days as (
    select * from {{ ref('int_scope_feed_days') }} where feed = 'user_growth'
),

completeness as (
    select * from {{ ref('int_completeness') }} where feed_set = 'user_growth'
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

period_days as (
    select * from {{ ref('int_period_days') }}
),

campaigns_begun as (
    select
        product_id,
        scope_id,
        min(local_date) as first_day
    from (
        select product_id, scope_id, local_date from sign_up_days where scope_kind = 'campaign'
        union all
        select product_id, scope_id, local_date from uniques where scope_kind = 'campaign' and active_users > 0
    ) as campaign_days
    group by product_id, scope_id
),

-- campaigns have values of finished periods only
spine as (
    {{ spine_of('users') }}
    union all by name
    select
        'campaign' as scope_kind,
        c.product_id,
        c.scope_id,
        p.grain,
        p.as_of_date = p.last_day as is_reported,
        p.period_start,
        p.period_end,
        p.last_day,
        p.preceding_start,
        p.as_of_date
    from campaigns_begun as c
    inner join period_days as p on c.first_day <= p.as_of_date
    inner join touched as t on p.grain = t.grain and p.period_start = t.period_start
),

excluded_days as (
    select
        'product' as scope_kind,
        source_product_id as product_id,
        source_product_id as scope_id,
        local_date,
        excluded_sign_ups
    from excluded_sign_ups
    union all
    select
        'company' as scope_kind,
        '(all)' as product_id,
        '(all)' as scope_id,
        local_date,
        sum(excluded_sign_ups) as excluded_sign_ups
    from excluded_sign_ups
    group by local_date
),

days as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        sum(sign_ups) as sign_ups,
        sum(invited_sign_ups) as invited_sign_ups,
        sum(active_users) as active_user_days,
        sum(excluded_sign_ups) as excluded_sign_ups
    from (
        select
            scope_kind,
            product_id,
            scope_id,
            local_date,
            sign_ups,
            invited_sign_ups
        from sign_up_days
        union all by name
        select
            scope_kind,
            product_id,
            scope_id,
            local_date,
            active_users
        from uniques
        where window_kind = 'period' and grain = 'day' and active_users > 0
        union all by name
        select * from excluded_days
    ) as measures
    group by scope_kind, product_id, scope_id, local_date
),

unique_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        grain,
        period_start,
        local_date,
        active_users,
        new_active_users,
        retained_users,
        resurrected_users
    from uniques
    where window_kind = 'period'
),

preceding_actives as (
    select
        scope_kind,
        product_id,
        scope_id,
        grain,
        period_start,
        sum(preceding_users) as active_users
    from uniques
    where window_kind = 'period'
    group by scope_kind, product_id, scope_id, grain, period_start
),

scope_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        day,
        first_day,
        is_landed
    from feed_days
    union all
    select
        'campaign' as scope_kind,
        c.product_id,
        c.scope_id,
        f.day,
        f.first_day,
        f.is_landed
    from campaigns_begun as c
    inner join feed_days as f on f.scope_kind = 'product' and c.product_id = f.product_id
),

all_days as (
    select
        coalesce(f.scope_kind, d.scope_kind) as scope_kind,
        coalesce(f.product_id, d.product_id) as product_id,
        coalesce(f.scope_id, d.scope_id) as scope_id,
        coalesce(f.day, d.local_date) as day,
        f.first_day,
        coalesce(f.is_landed, false) as is_landed,
        d.sign_ups,
        d.active_user_days
    from scope_days as f
    full join days as d
        on
            f.scope_kind = d.scope_kind
            and f.product_id = d.product_id
            and f.scope_id = d.scope_id
            and f.day = d.local_date
),

-- means over 28 days and users to date, of every day
summed_on_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        day as as_of_date,
        max(first_day) over scope as first_day,
        coalesce(sum(active_user_days) over trailing_28, 0)::bigint as active_user_days_28,
        (count_if(is_landed) over trailing_28)::bigint as landed_days_28,
        coalesce(sum(sign_ups) over to_date, 0)::bigint as total_users
    from all_days
    window
        scope as (partition by scope_kind, product_id, scope_id),
        to_date as (
            partition by scope_kind, product_id, scope_id order by day
            rows between unbounded preceding and current row
        ),
        trailing_28 as (
            partition by scope_kind, product_id, scope_id order by day
            range between interval 27 day preceding and current row
        )
),

summed as (
    {{ summed_to_date(['sign_ups', 'invited_sign_ups', 'active_user_days', 'excluded_sign_ups']) }}
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
        coalesce(s.invited_sign_ups, 0)::bigint as invited_sign_ups,
        r.total_users,
        coalesce(s.excluded_sign_ups, 0)::bigint as excluded_sign_ups,
        coalesce(s.active_user_days, 0)::bigint as active_user_days,
        c.landed_days,
        c.landed_days_preceding > 0 as has_preceding,
        coalesce(u.active_users, 0)::bigint as active_users,
        coalesce(u.new_active_users, 0)::bigint as new_active_users,
        coalesce(u.retained_users, 0)::bigint as retained_users,
        coalesce(u.resurrected_users, 0)::bigint as resurrected_users,
        coalesce(p.active_users, 0)::bigint as preceding_users,
        case when s.as_of_date >= r.first_day + 6 then coalesce(w.active_users, 0) end as wau,
        case when s.as_of_date >= r.first_day + 27 then coalesce(m.active_users, 0) end as mau,
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
    inner join completeness as c
        on
            {{ is_completeness_of('c', 's') }}
            and s.grain = c.grain
            and s.period_start = c.period_start
            and s.as_of_date = c.as_of_date
    inner join summed_on_days as r
        on
            s.scope_kind = r.scope_kind
            and s.product_id = r.product_id
            and s.scope_id = r.scope_id
            and s.as_of_date = r.as_of_date
    left join preceding_actives as p
        on
            s.scope_kind = p.scope_kind
            and s.product_id = p.product_id
            and s.scope_id = p.scope_id
            and s.grain = p.grain
            and s.period_start = p.period_start
    {% for alias, days in [('w', 7), ('m', 28)] -%}
    left join uniques as {{ alias }}
        on
            s.scope_kind = {{ alias }}.scope_kind
            and s.product_id = {{ alias }}.product_id
            and s.scope_id = {{ alias }}.scope_id
            and s.as_of_date = {{ alias }}.period_start
            and {{ alias }}.window_kind = 'trailing_{{ days }}'
    {% endfor -%}
    where s.is_reported and (s.scope_kind <> 'campaign' or s.sign_ups > 0 or u.active_users > 0)
),

-- accounting against a period of which nothing landed is unknown
accounted as (
    select
        * exclude (new_active_users, retained_users, resurrected_users, preceding_users),
        total_users - sign_ups as total_users_before,
        {{ ratio('active_user_days_28', 'landed_days_28') }} as dau_28,
        case when has_preceding then new_active_users end as new_active_users,
        case when has_preceding then retained_users end as retained_users,
        case when has_preceding then resurrected_users end as resurrected_users,
        case when has_preceding then new_active_users + resurrected_users end as gained_users,
        case when has_preceding then preceding_users - retained_users end as churned_users,
        case when has_preceding then preceding_users end as active_users_before,
        case when has_preceding then active_users - preceding_users end as active_users_added
    from joined
)

select
    {{ kpi_keys('a') }},
    a.sign_ups,
    a.invited_sign_ups,
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
    a.dau_28,
    {{ ratio('a.dau_28', 'a.mau') }} as stickiness,
    a.new_active_users,
    a.retained_users,
    a.resurrected_users,
    a.churned_users,
    a.gained_users,
    {{ ratio('a.gained_users', 'a.churned_users') }} as quick_ratio,
    a.active_users_before,
    a.active_users_added,
    {{ ratio('a.active_users_added', 'a.active_users_before') }} as active_growth_rate,
    {{ ratio('a.retained_users', 'a.active_users_before') }} as retention_rate,
    {{ ratio('a.churned_users', 'a.active_users_before') }} as churn_rate
from accounted as a
