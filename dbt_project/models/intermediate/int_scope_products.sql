with

scopes as (
    select distinct scope_kind, product_id, scope_id from {{ ref('int_scopes') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

memberships as (
    select * from {{ ref('int_memberships') }}
)

-- which products' feeds a scope needs, and from when to when; pages have no exposure and no users
select
    s.scope_kind,
    s.product_id,
    s.scope_id,
    p.product_id as source_product_id,
    false as is_pages_only,
    p.started_on as valid_from,
    date '9999-12-31' as valid_to
from scopes as s
inner join products as p on s.product_id in ('(all)', p.product_id)
where s.scope_kind in ('company', 'product', 'channel')
union all
select distinct
    s.scope_kind,
    s.product_id,
    s.scope_id,
    m.product_id as source_product_id,
    m.what = 'page_prefix' as is_pages_only,
    greatest(m.valid_from, p.started_on) as valid_from,
    m.valid_to
from scopes as s
inner join memberships as m on s.scope_kind = m.scope_kind and s.scope_id = m.scope_id
inner join products as p on m.product_id = p.product_id
