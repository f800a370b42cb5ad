{{ config(
    materialized='incremental', incremental_strategy='replace_keys',
    meta={
        'reach': 'keys', 'feeds': ['user_growth'],
        'keys': ['member_key'],
        'kept': 'signed_up_on is not null or first_active_day is not null'
    }
) }}

-- depends_on: {{ ref('int_user_days') }}
with

{% if is_incremental() -%}
touched as (
    select
        product_id,
        day
    from {{ source('landing', 'touched_slices') }}
    where feed = 'user_growth'
),

-- whose first sign-up or first active day this build can have moved
persons_moved as (
    select u.person_key
    from {{ ref('int_users') }} as u
    inner join touched as t on u.source_product_id = t.product_id and u.local_date = t.day
    union
    select p.person_key
    from {{ this }} as p
    inner join touched as t on p.source_product_id = t.product_id and p.signed_up_on = t.day
    union
    select p.person_key
    from {{ this }} as p
    inner join touched as t on p.source_product_id = t.product_id and p.first_active_day = t.day
    union
    select d.person_key
    from {{ ref('int_user_days') }} as d
    left join {{ this }} as p on d.member_key = p.member_key
    where d.is_active and (p.first_active_day is null or p.first_active_day > d.local_date)
),

users as (
    select u.*
    from {{ ref('int_users') }} as u
    semi join persons_moved as m on u.person_key = m.person_key
),

user_quarters as (
    select q.*
    from {{ ref('int_user_quarters') }} as q
    semi join persons_moved as m on q.person_key = m.person_key
),

members_before as (
    select
        p.source_product_id,
        p.person_key,
        p.member_key
    from {{ this }} as p
    semi join persons_moved as m on p.person_key = m.person_key
),
{%- else -%}
users as (
    select * from {{ ref('int_users') }}
),

user_quarters as (
    select * from {{ ref('int_user_quarters') }}
),

members_before as (
    select
        source_product_id,
        person_key,
        member_key
    from users
    where false
),
{%- endif %}

products as (
    select * from {{ ref('stg_organisation__products') }}
),

-- the first sign-up is the one that counts
first_sign_ups as (
    select *
    from users
    where not is_excluded
    qualify row_number() over (
        partition by member_key order by signed_up_at, local_date, channel, campaign, is_invited
    ) = 1
),

first_active_days as (
    select
        source_product_id,
        person_key,
        member_key,
        min(quarter_start + {{ first_bit('active_days') }}::integer) as first_active_day
    from user_quarters
    where active_days <> 0
    group by source_product_id, person_key, member_key
),

members as (
    select source_product_id, person_key, member_key from first_sign_ups
    union
    select source_product_id, person_key, member_key from first_active_days
    union
    select source_product_id, person_key, member_key from members_before
),

members_described as (
    select
        m.source_product_id,
        p.identity_space,
        s.user_id,
        m.person_key,
        m.member_key,
        coalesce(s.channel, '(not set)') as channel,
        coalesce(s.campaign, '(not set)') as campaign,
        coalesce(s.is_invited, false) as is_invited,
        coalesce(s.is_activated_at_once, false) as is_activated_at_once,
        s.local_date as signed_up_on,
        a.first_active_day,
        s.signed_up_at
    from members as m
    inner join products as p on m.source_product_id = p.product_id
    left join first_sign_ups as s on m.member_key = s.member_key
    left join first_active_days as a on m.member_key = a.member_key
),

persons as (
    select
        person_key,
        count(*) filter (where signed_up_on is not null or first_active_day is not null) > 1 as is_in_several,
        min(first_active_day) as first_active_day_in_space
    from members_described
    group by person_key
)

select
    d.source_product_id,
    d.identity_space,
    d.user_id,
    d.person_key,
    d.member_key,
    {{ user_cell_key('d.source_product_id', 'd.channel', 'd.campaign') }} as cell_key,
    d.channel,
    d.campaign,
    d.is_invited,
    d.is_activated_at_once,
    p.is_in_several,
    d.signed_up_on,
    d.first_active_day,
    p.first_active_day_in_space,
    d.signed_up_at
from members_described as d
inner join persons as p on d.person_key = p.person_key
