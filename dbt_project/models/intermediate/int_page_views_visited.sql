{{ config(materialized='by_batch', meta={'is_working': true}) }}

with

visitor_days as (
    select * from {{ ref('int_visitor_days') }} where may_be_split and {{ in_batch() }}
),

page_views as (
    select * from {{ ref('stg_landing__page_views') }} where not is_excluded and {{ in_batch() }}
),

urls as (
    select * from {{ ref('stg_landing__urls') }}
),

campaigns_named as (
    select
        v.product_id,
        v.local_date,
        v.visitor_key,
        v.event_key,
        v.url_key,
        v.referrer_key,
        v.device,
        v.occurred_at,
        coalesce(v.utm_source, u.utm_source) as utm_source,
        coalesce(v.utm_medium, u.utm_medium) as utm_medium,
        coalesce(v.utm_campaign, u.utm_campaign) as utm_campaign,
        case
            when
                coalesce(
                    v.utm_source, u.utm_source, v.utm_medium, u.utm_medium, v.utm_campaign, u.utm_campaign
                ) is not null
                then {{ key_of([
                    'coalesce(v.utm_source, u.utm_source)',
                    'coalesce(v.utm_medium, u.utm_medium)',
                    'coalesce(v.utm_campaign, u.utm_campaign)'
                ]) }}
        end as campaign_key
    from page_views as v
    semi join visitor_days as d
        on v.product_id = d.product_id and v.local_date = d.local_date and v.visitor_key = d.visitor_key
    inner join urls as u on v.url_key = u.url_key
),

pauses_found as (
    select
        *,
        {{ starts_after_pause('occurred_at', 'lag(occurred_at) over visitor_day') }} as is_after_pause
    from campaigns_named
    window visitor_day as (
        partition by product_id, local_date, visitor_key order by occurred_at, event_key
    )
),

stretches_numbered as (
    select
        *,
        count_if(is_after_pause) over (
            partition by product_id, local_date, visitor_key order by occurred_at, event_key
            rows between unbounded preceding and current row
        ) as stretch
    from pauses_found
),

starts_found as (
    select
        *,
        is_after_pause
        or {{ starts_by_campaign(
            'campaign_key', 'last_value(campaign_key ignore nulls) over earlier_in_stretch'
        ) }} as is_entry
    from stretches_numbered
    window earlier_in_stretch as (
        partition by product_id, local_date, visitor_key, stretch order by occurred_at, event_key
        rows between unbounded preceding and 1 preceding
    )
),

visits_numbered as (
    select
        *,
        (
            count_if(is_entry) over (
                partition by product_id, local_date, visitor_key order by occurred_at, event_key
                rows between unbounded preceding and current row
            )
        )::integer as visit_number
    from starts_found
)

select
    product_id as source_product_id,
    visitor_key,
    visit_number,
    event_key,
    url_key,
    referrer_key,
    device,
    utm_source,
    utm_medium,
    utm_campaign,
    is_entry,
    local_date,
    occurred_at
from visits_numbered
