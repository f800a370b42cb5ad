with

products as (
    select * from {{ ref('stg_organisation__products') }}
),

people as (
    select * from {{ ref('stg_organisation__people') }}
),

ownership as (
    select * from {{ ref('stg_organisation__ownership') }}
),

people_dated as (
    select
        person_id,
        team,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from people
),

ownership_dated as (
    select
        person_id,
        what,
        which,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to,
        case when what = 'product' then which else product_id end as product_id
    from ownership
),

owned_while_employed as (
    select
        o.person_id,
        p.team,
        o.what,
        o.which,
        o.product_id,
        greatest(o.valid_from, p.valid_from) as valid_from,
        least(o.valid_to, p.valid_to) as valid_to
    from ownership_dated as o
    inner join people_dated as p on o.person_id = p.person_id
    where o.valid_from < p.valid_to and p.valid_from < o.valid_to
),

scoped as (
    select
        'person' as scope_kind,
        person_id as scope_id,
        what,
        which,
        product_id,
        valid_from,
        valid_to
    from owned_while_employed
    union all
    select
        'team' as scope_kind,
        team as scope_id,
        what,
        which,
        product_id,
        valid_from,
        valid_to
    from owned_while_employed
    where team is not null
)

select
    s.scope_kind,
    s.scope_id,
    s.what,
    s.which,
    p.product_id,
    s.valid_from,
    s.valid_to
from scoped as s
inner join products as p on s.product_id is null or s.product_id = p.product_id
