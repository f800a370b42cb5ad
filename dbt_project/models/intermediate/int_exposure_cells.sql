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
        e.placement,
        coalesce(e.currency, p.currency) as currency,
        p.currency as product_currency,
        c.currency as company_currency,
        sum(e.impressions)::bigint as impressions,
        sum(e.clicks)::bigint as clicks,
        count(*) as rows_shown,
        max(e.reach) as reach,
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
)

select
    product_id as source_product_id,
    channel,
    campaign,
    placement,
    currency,
    impressions,
    clicks,
    rows_shown,
    reach,
    cost is not null as has_cost,
    cost_in_product_currency::decimal(38, 6) as cost_in_product_currency,
    cost_in_company_currency::decimal(38, 6) as cost_in_company_currency,
    impressions_with_cost,
    clicks_with_cost,
    local_date
from converted
