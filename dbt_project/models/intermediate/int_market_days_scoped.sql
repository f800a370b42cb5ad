{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['exposure']}
) }}

with

market as (
    select * from {{ ref('stg_landing__exposure_market') }}
),

exposure as (
    select * from {{ ref('stg_landing__exposure') }}
),

own as (
    select
        product_id as source_product_id,
        local_date,
        channel,
        sum(impressions) as impressions
    from exposure
    group by all
),

-- a market is a whole channel's: who owns a campaign of it has no share of it
cells as (
    select
        source_product_id as product_id,
        local_date,
        channel,
        null::varchar as campaign
    from market
),

scopes as (
    {{ cell_scopes() }}
)

select
    m.source_product_id,
    s.scope_kind,
    s.scope_product_id as product_id,
    s.scope_id,
    sum(coalesce(o.impressions, 0))::bigint as own_impressions,
    sum(m.market_impressions)::bigint as market_impressions,
    m.local_date
from market as m
inner join scopes as s
    on m.source_product_id = s.product_id and m.local_date = s.local_date and m.channel = s.channel
left join own as o
    on m.source_product_id = o.source_product_id and m.local_date = o.local_date and m.channel = o.channel
group by all
