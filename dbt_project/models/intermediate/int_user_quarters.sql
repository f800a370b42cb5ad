{{ config(
    materialized='incremental', incremental_strategy='replace_keys',
    meta={
        'reach': 'keys', 'feeds': ['user_growth'],
        'keys': ['member_key', 'quarter_start'],
        'kept': 'active_days <> 0 or activation_days <> 0'
    }
) }}

with

user_days as (
    select * from {{ ref('int_user_days') }}
),

days as (
    select * from {{ ref('int_calendar_days') }}
),

days_found as (
    select
        u.source_product_id,
        u.person_key,
        u.member_key,
        d.quarter_start,
        coalesce(bit_or({{ day_bit('d.day', 'd.quarter_start') }}) filter (where u.is_active), 0)::hugeint as active_days,
        coalesce(
            bit_or({{ day_bit('d.day', 'd.quarter_start') }}) filter (where u.last_activation_at is not null), 0
        )::hugeint as activation_days
    from user_days as u
    inner join days as d on u.local_date = d.day
    group by u.source_product_id, u.person_key, u.member_key, d.quarter_start
)

{% if is_incremental() -%}
,

days_touched as (
    select
        t.product_id,
        d.quarter_start,
        bit_or({{ day_bit('d.day', 'd.quarter_start') }})::hugeint as touched_days
    from {{ source('landing', 'touched_slices') }} as t
    inner join days as d on t.day = d.day
    where t.feed = 'user_growth'
    group by t.product_id, d.quarter_start
),

kept as (
    select
        q.*,
        t.touched_days
    from {{ this }} as q
    inner join days_touched as t on q.source_product_id = t.product_id and q.quarter_start = t.quarter_start
)

-- the touched days' bits are cleared and set anew, so doing it twice changes nothing
select
    coalesce(f.source_product_id, k.source_product_id) as source_product_id,
    coalesce(f.person_key, k.person_key) as person_key,
    coalesce(f.member_key, k.member_key) as member_key,
    coalesce(f.quarter_start, k.quarter_start) as quarter_start,
    (coalesce(k.active_days & ~k.touched_days, 0) | coalesce(f.active_days, 0))::hugeint as active_days,
    (coalesce(k.activation_days & ~k.touched_days, 0) | coalesce(f.activation_days, 0))::hugeint as activation_days
from days_found as f
full join kept as k on f.member_key = k.member_key and f.quarter_start = k.quarter_start
where f.member_key is not null or ((k.active_days | k.activation_days) & k.touched_days) <> 0
{%- else -%}
select * from days_found
{%- endif %}
