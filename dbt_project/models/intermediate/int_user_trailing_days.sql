with

feed_days as (
    select * from {{ ref('int_scope_feed_days') }} where feed = 'user_growth'
),

user_days as (
    select * from {{ ref('int_user_days_scoped') }}
),

sign_up_days as (
    select * from {{ ref('int_sign_ups_scoped') }}
),

-- a user is in a trailing window from an active day until the window passes it or the next one comes
next_active_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        lead(local_date, 1, date '9999-12-31') over (
            partition by scope_kind, product_id, scope_id, entity order by local_date
        ) as next_date
    from user_days
),

changes as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        1 as wau_change,
        1 as mau_change,
        1 as active_users
    from next_active_days
    union all by name
    select
        scope_kind,
        product_id,
        scope_id,
        least(next_date, (local_date + interval 7 day)::date) as local_date,
        -1 as wau_change
    from next_active_days
    union all by name
    select
        scope_kind,
        product_id,
        scope_id,
        least(next_date, (local_date + interval 28 day)::date) as local_date,
        -1 as mau_change
    from next_active_days
    union all by name
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        sign_ups
    from sign_up_days
),

changes_by_day as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        sum(wau_change) as wau_change,
        sum(mau_change) as mau_change,
        sum(active_users) as active_users,
        sum(sign_ups) as sign_ups
    from changes
    group by all
),

all_days as (
    select
        coalesce(f.scope_kind, c.scope_kind) as scope_kind,
        coalesce(f.product_id, c.product_id) as product_id,
        coalesce(f.scope_id, c.scope_id) as scope_id,
        coalesce(f.day, c.local_date) as day,
        f.first_day,
        coalesce(f.is_landed, false) as is_landed,
        c.wau_change,
        c.mau_change,
        c.active_users,
        c.sign_ups
    from feed_days as f
    full join changes_by_day as c
        on
            f.scope_kind = c.scope_kind
            and f.product_id = c.product_id
            and f.scope_id = c.scope_id
            and f.day = c.local_date
),

summed as (
    select
        scope_kind,
        product_id,
        scope_id,
        day as as_of_date,
        max(first_day) over scope as first_day,
        coalesce(sum(wau_change) over to_date, 0)::bigint as wau,
        coalesce(sum(mau_change) over to_date, 0)::bigint as mau,
        coalesce(sum(active_users) over trailing_28, 0)::bigint as active_user_days_28,
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
)

select
    scope_kind,
    product_id,
    scope_id,
    case when as_of_date >= first_day + 6 then wau end as wau,
    case when as_of_date >= first_day + 27 then mau end as mau,
    active_user_days_28,
    landed_days_28,
    total_users,
    as_of_date
from summed
