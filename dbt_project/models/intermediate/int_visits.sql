{{ config(materialized='by_batch', meta={'feeds': ['page_views']}) }}

with

visitor_days as (
    select * from {{ ref('int_visitor_days') }} where not may_be_split and {{ in_batch() }}
),

page_views as (
    select * from {{ ref('int_page_views_visited') }} where {{ in_batch() }}
),

urls as (
    select * from {{ ref('stg_landing__urls') }}
),

referrers as (
    select * from {{ ref('stg_landing__referrers') }}
),

split as (
    select
        source_product_id,
        local_date,
        visitor_key,
        visit_number,
        count(*) as page_views,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        arg_min(
            {
                'url_key': url_key,
                'referrer_key': referrer_key,
                'device': device,
                'utm_source': utm_source,
                'utm_medium': utm_medium,
                'utm_campaign': utm_campaign
            },
            {{ order_in_time('occurred_at', 'event_key') }}
        ) as entry
    from page_views
    group by all
),

visits as (
    select
        product_id as source_product_id,
        local_date,
        visitor_key,
        1 as visit_number,
        page_views,
        started_at,
        ended_at,
        entry
    from visitor_days
    union all
    select * from split
),

entries_unpacked as (
    select
        * exclude (entry),
        unnest(entry)
    from visits
),

entries_read as (
    select
        v.source_product_id,
        v.local_date,
        v.visitor_key,
        v.visit_number,
        v.page_views,
        v.started_at,
        v.ended_at,
        v.device,
        u.path_key,
        coalesce(v.utm_source, u.utm_source) as utm_source,
        coalesce(v.utm_medium, u.utm_medium) as utm_medium,
        coalesce(v.utm_campaign, u.utm_campaign) as utm_campaign,
        u.click_id,
        nullif(r.host, u.host) as referrer_host
    from entries_unpacked as v
    inner join urls as u on v.url_key = u.url_key
    left join referrers as r on v.referrer_key = r.referrer_key
),

entries_keyed as (
    select
        *,
        {{ key_of(['utm_source', 'utm_medium', 'utm_campaign', 'click_id', 'referrer_host']) }} as source_key
    from entries_read
),

sources as (
    select distinct
        source_key,
        utm_source,
        utm_medium,
        utm_campaign,
        click_id,
        referrer_host
    from entries_keyed
),

channels as (
    {{ channel_of() }}
)

select
    e.source_product_id,
    e.visitor_key,
    e.visit_number,
    e.path_key as entry_path_key,
    e.device,
    c.channel,
    coalesce(e.utm_campaign, '(not set)') as campaign,
    {{ key_of(['e.source_product_id', 'c.channel', "coalesce(e.utm_campaign, '(not set)')", 'e.device']) }}
        as source_cell_key,
    e.page_views,
    date_diff('millisecond', e.started_at, e.ended_at) as duration_milliseconds,
    {{ is_bounce('e.page_views') }} as is_bounce,
    e.local_date,
    e.started_at
from entries_keyed as e
inner join channels as c on e.source_key = c.source_key
