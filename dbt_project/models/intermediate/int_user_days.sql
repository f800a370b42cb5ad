with

activity as (
    select * from {{ ref('stg_landing__activity') }}
),

kinds as (
    select * from {{ ref('stg_organisation__activity_kinds') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

activity_keyed as (
    select
        a.product_id as source_product_id,
        {{ user_key('p.identity_space', 'a.user_id') }} as person_key,
        {{ user_key('a.product_id', 'a.user_id') }} as member_key,
        k.is_active,
        a.local_date,
        case when k.is_activation then a.occurred_at end as activation_at
    from activity as a
    inner join kinds as k on a.kind = k.kind
    inner join products as p on a.product_id = p.product_id
    where k.is_active or k.is_activation
)

select
    source_product_id,
    person_key,
    member_key,
    bool_or(is_active) as is_active,
    local_date,
    max(activation_at) as last_activation_at
from activity_keyed
group by source_product_id, person_key, member_key, local_date
