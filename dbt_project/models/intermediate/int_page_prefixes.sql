with

pages as (
    select * from {{ ref('int_pages') }}
),

prefixes as (
    select distinct product_id, which as prefix from {{ ref('int_memberships') }} where what = 'page_prefix'
)

-- the owned prefixes of a product that hold a path, as one text; paths that none holds have no row
select
    x.product_id as source_product_id,
    p.path_key,
    string_agg(x.prefix, chr(31) order by x.prefix) as prefixes
from pages as p
inner join prefixes as x on {{ holds_path('x.prefix', 'p.path') }}
group by all
