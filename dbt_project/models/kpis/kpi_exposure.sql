{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['exposure'], 'family': 'exposure'}
) }}

with

exposure as (
    select * from {{ ref('int_exposure_days_scoped') }}
),

market as (
    select * from {{ ref('int_market_days_scoped') }}
),

reach_reported as (
    select * from {{ ref('int_reach_reported') }}
),

period_days as (
    select * from {{ ref('int_period_days') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'values'
),

calendar as (
    select max(day) as last_day from {{ ref('int_calendar_days') }}
),

spine as (
    {{ spine_of('exposure') }}
),

first_touched as (
    select min(period_start) as day from touched
),

reach_known as (
    select
        scope_kind,
        product_id,
        scope_id,
        grain,
        period_start,
        {{ agreed('reach') }} as reach
    from reach_reported
    group by all
),

exposure_days as (
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
        sum(rows_without_rate) as rows_without_rate,
        sum(rows_shown) as rows_shown,
        case when sum(rows_shown) = 1 then max(reach) end as single_reach
    from exposure
    where local_date >= (select f.day from first_touched as f)
    group by all
),

market_days as (
    select
        scope_kind,
        product_id,
        scope_id,
        local_date,
        sum(own_impressions) as own_impressions,
        sum(market_impressions) as market_impressions
    from market
    where local_date >= (select f.day from first_touched as f)
    group by all
),

days_of_reach as (
    select
        scope_kind,
        product_id,
        scope_id,
        period_start as local_date,
        reach
    from reach_known
    where grain = 'day' and period_start >= (select f.day from first_touched as f)
),

days_told as (
    select * from exposure_days
    union all by name
    select * from market_days
    union all by name
    select * from days_of_reach
),

-- a day's reach is the one reported for it, else that of its single row
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
        sum(rows_without_rate) as rows_without_rate,
        sum(rows_shown) as rows_shown,
        sum(own_impressions) as own_impressions,
        sum(market_impressions) as market_impressions,
        coalesce(max(reach), max(single_reach)) as reach_of_days,
        (reach_of_days is not null)::integer as days_with_reach
    from days_told
    group by all
),

summed_densely as (
    {{ summed_to_date(exposure_measures()) }}
),

-- campaigns and placements have values of periods that are over and in which they were shown
summed_sparsely as (
    {{ summed_sparsely(exposure_measures(), ['campaign', 'placement'], is_seen='sum(d.rows_shown) > 0') }}
),

summed as (
    select
        {{ kpi_keys('s') }},
        s.last_day,
        s.{{ exposure_measures() | join(', s.') }}
    from summed_densely as s
    where s.is_reported
    union all by name
    select * from summed_sparsely
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
        end::double as cost,
        case
            when s.as_of_date < s.last_day then null
            when s.grain = 'day' then s.reach_of_days
            else r.reach
        end::bigint as reach,
        s.reach_of_days::bigint as reach_of_days,
        nullif(s.days_with_reach, 0)::bigint as days_with_reach,
        s.own_impressions::bigint as impressions_beside_market,
        (s.own_impressions + s.market_impressions)::bigint as impressions_of_all
    from summed as s
    left join reach_known as r
        on
            s.scope_kind = r.scope_kind
            and s.product_id = r.product_id
            and s.scope_id = r.scope_id
            and s.grain = r.grain
            and s.period_start = r.period_start
)

select
    {{ kpi_keys('z') }},
    z.impressions,
    z.clicks,
    z.impressions_with_cost,
    z.clicks_with_cost,
    z.reach,
    case when z.reach is null then z.reach_of_days end as reach_of_days,
    case when z.reach is null then z.days_with_reach end as days_with_reach,
    case when z.reach is null then {{ ratio('z.reach_of_days', 'z.days_with_reach') }} end as reach_daily_mean,
    {{ ratio('z.impressions', 'z.reach') }} as frequency,
    {{ ratio('z.clicks', 'z.impressions') }} as ctr,
    z.cost,
    1000 * {{ ratio('z.cost', 'z.impressions_with_cost') }} as cpm,
    {{ ratio('z.cost', 'z.clicks_with_cost') }} as cpc,
    {{ ratio('z.impressions_with_cost', 'z.impressions') }} as impressions_with_cost_share,
    z.impressions_beside_market,
    z.impressions_of_all,
    {{ ratio('z.impressions_beside_market', 'z.impressions_of_all') }} as share_of_voice
from zeros_filled as z
