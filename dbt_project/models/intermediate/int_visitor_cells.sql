{{ config(materialized='by_batch', meta={'feeds': ['page_views']}) }}

with

visits as (
    select * from {{ ref('int_visits') }}
    where {{ in_touched_batch('page_views') }}
),

page_visitor_days as (
    select * from {{ ref('int_page_visitor_days') }}
    where {{ in_touched_batch('page_views') }}
),

page_views_visited as (
    select * from {{ ref('int_page_views_visited') }} where {{ in_batch() }}
),

urls as (
    select * from {{ ref('stg_landing__urls') }}
),

page_prefixes as (
    select * from {{ ref('int_page_prefixes') }}
),

visits_prefixed as (
    select
        v.*,
        coalesce(x.prefixes, '') as prefixes
    from visits as v
    left join page_prefixes as x
        on v.source_product_id = x.source_product_id and v.entry_path_key = x.path_key
),

-- page views beside the owned prefix their visit entered by; in a day of one visit they are all its own
seen_elsewhere as (
    select
        p.source_product_id,
        p.local_date,
        p.visitor_key,
        1 as visit_number,
        x.prefixes,
        sum(p.page_views) as page_views
    from page_visitor_days as p
    inner join page_prefixes as x
        on p.source_product_id = x.source_product_id and p.path_key = x.path_key
    anti join page_views_visited as s
        on
            p.source_product_id = s.source_product_id
            and p.local_date = s.local_date
            and p.visitor_key = s.visitor_key
    group by all
    union all
    select
        s.source_product_id,
        s.local_date,
        s.visitor_key,
        s.visit_number,
        x.prefixes,
        count(*) as page_views
    from page_views_visited as s
    inner join urls as u on s.url_key = u.url_key
    inner join page_prefixes as x
        on s.source_product_id = x.source_product_id and u.path_key = x.path_key
    group by all
),

seen_in_all as (
    select
        source_product_id,
        local_date,
        visitor_key,
        visit_number,
        sum(page_views) as page_views
    from seen_elsewhere
    group by all
),

-- rows of a visit: what it saw under each set of prefixes; its own measures where it entered
parts as (
    select
        v.source_product_id,
        v.local_date,
        v.visitor_key,
        {{ cell_key_of('v.source_cell_key', "''") }} as cell_key,
        v.page_views - coalesce(a.page_views, 0) as page_views,
        (v.prefixes = '')::integer as visits,
        (v.prefixes = '' and v.is_bounce)::integer as bounces,
        case when v.prefixes = '' then v.duration_milliseconds else 0 end as duration_milliseconds
    from visits_prefixed as v
    left join seen_in_all as a
        on
            v.source_product_id = a.source_product_id
            and v.local_date = a.local_date
            and v.visitor_key = a.visitor_key
            and v.visit_number = a.visit_number
    where v.prefixes = '' or v.page_views > coalesce(a.page_views, 0)
    union all
    select
        v.source_product_id,
        v.local_date,
        v.visitor_key,
        {{ cell_key_of('v.source_cell_key', 's.prefixes') }} as cell_key,
        s.page_views,
        (v.prefixes = s.prefixes)::integer as visits,
        (v.prefixes = s.prefixes and v.is_bounce)::integer as bounces,
        case when v.prefixes = s.prefixes then v.duration_milliseconds else 0 end as duration_milliseconds
    from seen_elsewhere as s
    inner join visits_prefixed as v
        on
            s.source_product_id = v.source_product_id
            and s.local_date = v.local_date
            and s.visitor_key = v.visitor_key
            and s.visit_number = v.visit_number
)

select
    source_product_id,
    visitor_key,
    cell_key,
    sum(page_views)::bigint as page_views,
    sum(visits)::bigint as visits,
    sum(bounces)::bigint as bounces,
    sum(duration_milliseconds)::bigint as duration_milliseconds,
    local_date
from parts
group by source_product_id, local_date, visitor_key, cell_key
