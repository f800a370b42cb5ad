with

visits as (
    select * from {{ ref('int_visit_cells') }}
),

traffic as (
    select * from {{ ref('int_traffic_days') }}
),

exposure as (
    select * from {{ ref('int_exposure_days_scoped') }}
),

users as (
    select * from {{ ref('int_users_known') }}
),

user_cells as (
    select * from {{ ref('int_user_cells') }}
),

user_channels as (
    select
        source_product_id,
        hash(user_id) as user_key,
        channel
    from users
),

transactions as (
    select * from {{ ref('int_transactions_summed') }}
),

activity_by_family as (
    select
        'visits' as family,
        source_product_id as product_id,
        channel,
        local_date
    from visits
    union all
    select
        'visits' as family,
        source_product_id as product_id,
        channel,
        local_date
    from traffic
    union all
    select
        'exposure' as family,
        product_id,
        scope_id as channel,
        local_date
    from exposure
    where scope_kind = 'channel' and product_id <> '(all)'
    union all
    select
        'users' as family,
        source_product_id as product_id,
        channel,
        first_day as local_date
    from user_cells
    union all
    select
        'revenue' as family,
        source_product_id as product_id,
        channel,
        local_date
    from users
    union all
    select
        'revenue' as family,
        t.source_product_id as product_id,
        coalesce(u.channel, '(not set)') as channel,
        t.local_date
    from transactions as t
    left join user_channels as u on t.source_product_id = u.source_product_id and t.user_key = u.user_key
)

select
    family,
    product_id,
    channel,
    min(local_date) as first_day
from activity_by_family
group by all
