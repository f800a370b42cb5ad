{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['exposure']}
) }}

with

exposure_cells as (
    select * from {{ ref('int_exposure_cells') }}
    where {{ is_in_touched_slices('exposure') }}
),

cells as (
    select distinct
        source_product_id as product_id,
        local_date,
        channel,
        campaign,
        placement
    from exposure_cells
),

scopes as (
    {{ cell_scopes(columns=['channel', 'campaign', 'placement'], sparse=['campaign', 'placement']) }}
),

scoped as (
    select
        c.source_product_id,
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        c.local_date,
        c.impressions,
        c.clicks,
        c.rows_shown,
        c.reach,
        c.has_cost,
        case
            when s.scope_product_id = '(all)' then c.cost_in_company_currency
            else c.cost_in_product_currency
        end as cost,
        c.impressions_with_cost,
        c.clicks_with_cost
    from exposure_cells as c
    inner join scopes as s
        on
            c.source_product_id = s.product_id
            and c.local_date = s.local_date
            and c.channel = s.channel
            and c.campaign = s.campaign
            and c.placement = s.placement
)

select
    source_product_id,
    scope_kind,
    product_id,
    scope_id,
    sum(impressions)::bigint as impressions,
    sum(clicks)::bigint as clicks,
    sum(rows_shown)::bigint as rows_shown,
    -- people shown one row may be shown another: only a single row says how many there were
    (case when sum(rows_shown) = 1 then max(reach) end)::bigint as reach,
    sum(cost)::decimal(38, 6) as cost,
    sum(impressions_with_cost)::bigint as impressions_with_cost,
    sum(clicks_with_cost)::bigint as clicks_with_cost,
    count_if(has_cost and cost is null)::bigint as rows_without_rate,
    local_date
from scoped
group by all
