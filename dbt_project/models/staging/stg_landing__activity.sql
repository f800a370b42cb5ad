{{ config(materialized='table') }}

with

activity as (
    select * from {{ source('landing', 'activity') }}
),

exclusions as (
    select * from {{ ref('stg_organisation__exclusions') }}
),

repeats_removed as (
    select *
    from activity
    qualify row_number() over (
        partition by product_id, local_date, event_id order by occurred_at, user_id, kind, value, currency
    ) = 1
),

excluded_users_removed as (
    select
        product_id,
        local_date,
        event_id,
        user_id,
        kind,
        currency,
        value,
        occurred_at
    from repeats_removed as a
    where
        not exists (
            select 1
            from exclusions as e
            where
                e.kind = 'user'
                and e.value = a.user_id
                and (e.product_id is null or e.product_id = a.product_id)
        )
)

select * from excluded_users_removed
