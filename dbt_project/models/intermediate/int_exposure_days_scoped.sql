{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'slice', 'feeds': ['exposure']}
) }}

with

exposure as (
    select * from {{ ref('stg_landing__exposure') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

company as (
    select * from {{ ref('stg_organisation__company') }}
),

rates as (
    select
        currency,
        rate,
        valid_from,
        lead(valid_from, 1, date '9999-12-31') over (partition by currency order by valid_from) as valid_to
    from {{ ref('stg_organisation__exchange_rates') }}
),

summed as (
    select
        e.product_id,
        e.local_date,
        e.channel,
        e.campaign,
        coalesce(e.currency, p.currency) as currency,
        p.currency as product_currency,
        c.currency as company_currency,
        sum(e.impressions)::bigint as impressions,
        sum(e.clicks)::bigint as clicks,
        sum(e.cost) as cost,
        coalesce(sum(e.impressions) filter (where e.cost is not null), 0)::bigint as impressions_with_cost,
        coalesce(sum(e.clicks) filter (where e.cost is not null), 0)::bigint as clicks_with_cost
    from exposure as e
    inner join products as p on e.product_id = p.product_id
    cross join company as c
    group by all
),

-- a currency is never added to another: without a dated rate the cost is unknown, not zero
converted as (
    select
        s.*,
        case
            when s.currency = s.product_currency then s.cost
            else s.cost * {{ rate_of('r', 's.currency', 's.company_currency') }}
            / {{ rate_of('t', 's.product_currency', 's.company_currency') }}
        end as cost_in_product_currency,
        s.cost * {{ rate_of('r', 's.currency', 's.company_currency') }} as cost_in_company_currency
    from summed as s
    left join rates as r
        on s.currency = r.currency and r.valid_from <= s.local_date and s.local_date < r.valid_to
    left join rates as t
        on s.product_currency = t.currency and t.valid_from <= s.local_date and s.local_date < t.valid_to
),

cells as (
    select distinct
        product_id,
        local_date,
        channel,
        campaign
    from converted
),

scopes as (
    {{ cell_scopes() }}
),

scoped as (
    select
        c.product_id as source_product_id,
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        c.local_date,
        c.impressions,
        c.clicks,
        c.cost is not null as has_cost,
        case
            when s.scope_product_id = '(all)' then c.cost_in_company_currency
            else c.cost_in_product_currency
        end as cost,
        c.impressions_with_cost,
        c.clicks_with_cost
    from converted as c
    inner join scopes as s
        on
            c.product_id = s.product_id
            and c.local_date = s.local_date
            and c.channel = s.channel
            and c.campaign = s.campaign
)

select
    source_product_id,
    scope_kind,
    product_id,
    scope_id,
    sum(impressions)::bigint as impressions,
    sum(clicks)::bigint as clicks,
    sum(cost)::decimal(38, 4) as cost,
    sum(impressions_with_cost)::bigint as impressions_with_cost,
    sum(clicks_with_cost)::bigint as clicks_with_cost,
    count_if(has_cost and cost is null)::bigint as rows_without_rate,
    local_date
from scoped
group by all
