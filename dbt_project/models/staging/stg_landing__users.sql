{{ config(materialized='table') }}

with

users as (
    select * from {{ source('landing', 'users') }}
),

exclusions as (
    select * from {{ ref('stg_organisation__exclusions') }}
),

repeats_removed as (
    select *
    from users
    qualify row_number() over (
        partition by product_id, local_date, user_id order by signed_up_at, channel, campaign, invited_by
    ) = 1
),

exclusions_marked as (
    select
        product_id,
        local_date,
        user_id,
        coalesce(channel, '(not set)') as channel,
        coalesce(campaign, '(not set)') as campaign,
        invited_by,
        exists(
            select 1
            from exclusions as e
            where
                e.kind = 'user'
                and e.value = u.user_id
                and (e.product_id is null or e.product_id = u.product_id)
        ) as is_excluded,
        signed_up_at
    from repeats_removed as u
)

select * from exclusions_marked
