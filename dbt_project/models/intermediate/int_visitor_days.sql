{{ config(materialized='by_batch', meta={'is_working': true}) }}

with

page_views as (
    select * from {{ ref('stg_landing__page_views') }} where not is_excluded and {{ in_batch() }}
),

urls as (
    select * from {{ ref('stg_landing__urls') }}
),

-- a campaign may stand in columns of its own or in the URL
tagged_urls as (
    select url_key
    from urls
    where coalesce(utm_source, utm_medium, utm_campaign) is not null
),

summed as (
    select
        v.product_id,
        v.local_date,
        v.visitor_key,
        count(*) as page_views,
        min(v.occurred_at) as started_at,
        max(v.occurred_at) as ended_at,
        bool_or(
            coalesce(v.utm_source, v.utm_medium, v.utm_campaign) is not null or u.url_key is not null
        ) as has_campaign,
        arg_min(
            {
                'url_key': v.url_key,
                'referrer_key': v.referrer_key,
                'device': v.device,
                'utm_source': v.utm_source,
                'utm_medium': v.utm_medium,
                'utm_campaign': v.utm_campaign
            },
            {{ order_in_time('v.occurred_at', 'v.event_key') }}
        ) as entry
    from page_views as v
    left join tagged_urls as u on v.url_key = u.url_key
    group by all
)

-- only the few that pause for long or bring a campaign can hold several visits
select
    * exclude (has_campaign),
    page_views > 1
    and (has_campaign or {{ may_hold_pause('started_at', 'ended_at') }}) as may_be_split
from summed
