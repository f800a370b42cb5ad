{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['user_growth']}
) }}

with

users as (
    select * from {{ ref('stg_landing__users') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

user_days as (
    select * from {{ ref('int_user_days') }}
),

keyed as (
    select
        u.product_id as source_product_id,
        p.identity_space,
        u.user_id,
        {{ user_key('p.identity_space', 'u.user_id') }} as person_key,
        {{ user_key('u.product_id', 'u.user_id') }} as member_key,
        u.channel,
        u.campaign,
        u.is_excluded,
        u.invited_by is not null as is_invited,
        u.local_date,
        u.signed_up_at
    from users as u
    inner join products as p on u.product_id = p.product_id
)

-- a day's sign-ups and activity land together, so the sign-up's own day can be judged at once
select
    k.source_product_id,
    k.identity_space,
    k.user_id,
    k.person_key,
    k.member_key,
    k.channel,
    k.campaign,
    k.is_excluded,
    k.is_invited,
    coalesce(d.last_activation_at >= k.signed_up_at, false) as is_activated_at_once,
    k.local_date,
    k.signed_up_at
from keyed as k
left join user_days as d on k.member_key = d.member_key and k.local_date = d.local_date
