{{ config(materialized='by_batch', meta={'is_working': true}) }}

with

page_views as (
    select * from {{ source('landing', 'page_views') }} where {{ in_batch() }}
),

-- the quick hash of an id finds every repeat, and a few that are none
suspects as (
    select
        product_id,
        local_date,
        hash(event_id) as event_hash
    from page_views
    group by all
    having count(*) > 1
)

-- all but the earliest page view of a repeated event_id
select v.row_no
from page_views as v
semi join suspects as s
    on v.product_id = s.product_id and v.local_date = s.local_date and hash(v.event_id) = s.event_hash
qualify row_number() over (
    partition by v.product_id, v.local_date, v.event_id order by v.occurred_at, v.url, v.visitor_id
) > 1
