{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['page_views']}
) }}

with

page_views as (
    select * from {{ ref('int_page_views_visited') }}
    {% if is_incremental() -%}
    where (source_product_id, local_date) in (
        select (product_id, day) from {{ source('landing', 'touched_slices') }} where feed = 'page_views'
    )
    {%- endif %}
),

visits as (
    select * from {{ ref('int_visits') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
)

-- a visit's own measures stand on the row of the page it entered by
select
    w.source_product_id,
    p.identity_space,
    w.visitor_id,
    v.channel,
    v.campaign,
    w.path,
    count(*) as page_views,
    count_if(w.is_entry) as visits,
    count_if(w.is_entry and v.is_bounce) as bounces,
    coalesce(sum(v.duration_milliseconds) filter (where w.is_entry), 0)::bigint as duration_milliseconds,
    w.local_date
from page_views as w
inner join visits as v
    on
        w.source_product_id = v.source_product_id
        and w.local_date = v.local_date
        and w.visitor_id = v.visitor_id
        and w.visit_number = v.visit_number
inner join products as p on w.source_product_id = p.product_id
group by all
