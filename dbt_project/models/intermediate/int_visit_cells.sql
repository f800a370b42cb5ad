{{ config(materialized='by_batch', meta={'feeds': ['page_views']}) }}

with

visitor_cells as (
    select * from {{ ref('int_visitor_cells') }}
    where {{ in_touched_batch('page_views') }}
),

prefixes as (
    select '' as prefixes
    union
    select prefixes from {{ ref('int_page_prefixes') }}
),

cells as (
    select
        {{ cell_key_of('s.source_cell_key', 'p.prefixes') }} as cell_key,
        s.channel,
        s.campaign,
        s.device,
        p.prefixes
    from {{ ref('int_visit_sources') }} as s
    cross join prefixes as p
),

summed as (
    select
        source_product_id,
        cell_key,
        sum(page_views)::bigint as page_views,
        sum(visits)::bigint as visits,
        sum(bounces)::bigint as bounces,
        sum(duration_milliseconds)::bigint as duration_milliseconds,
        local_date
    from visitor_cells
    group by all
)

select
    m.source_product_id,
    m.cell_key,
    c.channel,
    c.campaign,
    c.device,
    c.prefixes,
    m.page_views,
    m.visits,
    m.bounces,
    m.duration_milliseconds,
    m.local_date
from summed as m
inner join cells as c on m.cell_key = c.cell_key
