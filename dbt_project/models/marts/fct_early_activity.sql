with

users as (
    select * from {{ ref('int_users_known') }}
),

first_days as (
    select * from {{ ref('int_user_first_days') }} where product_id <> '(all)'
),

thresholds as (
    select
        product_id,
        max(value) filter (where name = 'early_activity_share') as tolerance,
        max(value) filter (where name = 'early_activity_smallest_base') as smallest_base
    from {{ ref('stg_landing__thresholds') }}
    where feed = 'user_growth'
    group by product_id
),

counted as (
    select
        u.source_product_id as product_id,
        count(*) as sign_ups,
        count(*) filter (where f.first_day < u.local_date) as early_users,
        u.local_date
    from users as u
    left join first_days as f on u.source_product_id = f.product_id and u.user_id = f.entity
    group by all
)

select
    c.product_id,
    c.sign_ups,
    c.early_users,
    c.early_users / c.sign_ups as early_share,
    t.tolerance,
    t.smallest_base,
    c.local_date
from counted as c
inner join thresholds as t on c.product_id = t.product_id
