{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['exposure'], 'family': 'exposure'}
) }}

with

exposure as (
    select * from {{ ref('int_exposure_days_scoped') }}
),

spine as (
    {{ spine_of('exposure') }}
),

days as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(cost) as cost,
        sum(impressions_with_cost) as impressions_with_cost,
        sum(clicks_with_cost) as clicks_with_cost,
        sum(rows_without_rate) as rows_without_rate
    from exposure
    group by all
),

summed as (
    {{ summed_to_date([
        'impressions', 'clicks', 'cost', 'impressions_with_cost', 'clicks_with_cost', 'rows_without_rate'
    ]) }}
),

-- days without a row add nothing; a cost is 0 when there was nothing to pay for, unknown when
-- there were impressions and none had a cost, or a currency had no rate
zeros_filled as (
    select
        {{ kpi_keys('s') }},
        coalesce(s.impressions, 0)::bigint as impressions,
        coalesce(s.clicks, 0)::bigint as clicks,
        coalesce(s.impressions_with_cost, 0)::bigint as impressions_with_cost,
        coalesce(s.clicks_with_cost, 0)::bigint as clicks_with_cost,
        case
            when s.rows_without_rate > 0 then null
            when s.impressions is null then 0
            else s.cost
        end::double as cost
    from summed as s
    where s.is_reported
)

select
    {{ kpi_keys('z') }},
    z.impressions,
    z.clicks,
    z.impressions_with_cost,
    z.clicks_with_cost,
    {{ ratio('z.clicks', 'z.impressions') }} as ctr,
    z.cost,
    1000 * {{ ratio('z.cost', 'z.impressions_with_cost') }} as cpm,
    {{ ratio('z.cost', 'z.clicks_with_cost') }} as cpc,
    {{ ratio('z.impressions_with_cost', 'z.impressions') }} as cost_coverage_share
from zeros_filled as z
