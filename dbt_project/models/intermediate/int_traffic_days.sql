{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['traffic']}
) }}

with

traffic as (
    select
        product_id,
        local_date,
        campaign,
        device,
        nullif(utm_source, '(not set)') as utm_source,
        case when utm_medium not in ('(not set)', '(none)') then utm_medium end as utm_medium,
        nullif(campaign, '(not set)') as utm_campaign,
        coalesce(utm_source, '(not set)') = '(not set)'
        and coalesce(utm_medium, '(not set)') = '(not set)'
        and coalesce(campaign, '(not set)') = '(not set)' as is_source_unknown,
        visits,
        page_views,
        bounces,
        duration_seconds * 1000 as duration_milliseconds
    from {{ ref('stg_landing__traffic') }}
),

sources_named as (
    select
        *,
        null::varchar as click_id,
        null::varchar as referrer_host,
        {{ key_of([
            "case when utm_source = '(direct)' then null else utm_source end", 'utm_medium', 'utm_campaign'
        ]) }} as source_key
    from traffic
),

sources as (
    select distinct
        source_key,
        case when utm_source <> '(direct)' then utm_source end as utm_source,
        utm_medium,
        utm_campaign,
        click_id,
        referrer_host
    from sources_named
),

channels as (
    {{ channel_of() }}
)

select
    t.product_id as source_product_id,
    case when t.is_source_unknown then '(not set)' else c.channel end as channel,
    t.campaign,
    t.device,
    sum(t.visits)::bigint as visits,
    sum(t.page_views)::bigint as page_views,
    sum(t.bounces)::bigint as bounces,
    sum(t.duration_milliseconds)::bigint as duration_milliseconds,
    t.local_date
from sources_named as t
inner join channels as c on t.source_key = c.source_key
group by all
