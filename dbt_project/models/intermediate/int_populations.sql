with

products as (
    select * from {{ ref('stg_organisation__products') }}
),

spaces as (
    select
        identity_space,
        count(*) > 1 as is_shared
    from products
    group by identity_space
)

-- users of a product, and of a space that several products share; the company's users are those of its spaces
select
    p.product_id as population,
    p.product_id as source_product_id,
    p.currency,
    true as is_product,
    not s.is_shared as is_in_company
from products as p
inner join spaces as s on p.identity_space = s.identity_space
union all
select
    'space:' || p.identity_space as population,
    p.product_id as source_product_id,
    null::varchar as currency,
    false as is_product,
    true as is_in_company
from products as p
inner join spaces as s on p.identity_space = s.identity_space
where s.is_shared
