{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['page_views']}
) }}

with

page_views as (
    select * from {{ ref('int_page_views_celled') }}
    {% if is_incremental() -%}
    where (source_product_id, local_date) in (
        select (product_id, day) from {{ source('landing', 'touched_slices') }} where feed = 'page_views'
    )
    {%- endif %}
),

cells as (
    select distinct
        source_product_id as product_id,
        local_date,
        channel,
        campaign,
        path
    from page_views
),

scopes as (
    {{ cell_scopes(has_path=true) }}
)

select
    w.source_product_id,
    s.scope_kind,
    s.scope_product_id as product_id,
    s.scope_id,
    case
        when s.scope_product_id = '(all)' then w.identity_space || ':' || w.visitor_id
        else w.visitor_id
    end as entity,
    sum(w.page_views)::bigint as page_views,
    sum(w.visits)::bigint as visits,
    sum(w.bounces)::bigint as bounces,
    sum(w.duration_milliseconds)::bigint as duration_milliseconds,
    w.local_date
from page_views as w
inner join scopes as s
    on
        w.source_product_id = s.product_id
        and w.local_date = s.local_date
        and w.channel = s.channel
        and w.campaign = s.campaign
        and w.path = s.path
group by all
