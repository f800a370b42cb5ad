{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['page_views']}
) }}

with

page_views as (
    select * from {{ ref('stg_landing__page_views') }} where not is_excluded
),

campaigns_named as (
    select
        *,
        case
            when coalesce(utm_source, utm_medium, utm_campaign) is not null
                then concat_ws(
                    chr(31), coalesce(utm_source, ''), coalesce(utm_medium, ''), coalesce(utm_campaign, '')
                )
        end as campaign_triple
    from page_views
),

pauses_found as (
    select
        *,
        {{ starts_after_pause('occurred_at', 'lag(occurred_at) over visitor_day') }} as is_after_pause
    from campaigns_named
    window visitor_day as (
        partition by product_id, local_date, visitor_id order by occurred_at, event_id
    )
),

stretches_numbered as (
    select
        *,
        count_if(is_after_pause) over (
            partition by product_id, local_date, visitor_id order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as stretch
    from pauses_found
),

starts_found as (
    select
        *,
        is_after_pause
        or {{ starts_by_campaign(
            'campaign_triple', 'last_value(campaign_triple ignore nulls) over earlier_in_stretch'
        ) }} as is_entry
    from stretches_numbered
    window earlier_in_stretch as (
        partition by product_id, local_date, visitor_id, stretch order by occurred_at, event_id
        rows between unbounded preceding and 1 preceding
    )
),

visits_numbered as (
    select
        *,
        count_if(is_entry) over (
            partition by product_id, local_date, visitor_id order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as visit_number
    from starts_found
)

select
    product_id as source_product_id,
    visitor_id,
    visit_number,
    event_id,
    path,
    device,
    utm_source,
    utm_medium,
    utm_campaign,
    click_id,
    referrer_host,
    is_entry,
    local_date,
    occurred_at
from visits_numbered
