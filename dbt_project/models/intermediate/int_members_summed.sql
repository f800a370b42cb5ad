{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views', 'traffic', 'exposure', 'user_growth']}
) }}

with

exposure_cells as (
    select * from {{ ref('int_exposure_cells') }}
),

visit_cells as (
    select * from {{ ref('int_visit_cells') }}
),

traffic as (
    select * from {{ ref('int_traffic_days') }}
),

users as (
    select * from {{ ref('int_users_known') }}
),

revenue_cells as (
    select * from {{ ref('int_revenue_cells') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
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

-- a change is explained when its period is over
days as (
    select
        d.grain,
        d.period_start,
        d.as_of_date as local_date
    from period_days as d
    inner join touched as t on d.grain = t.grain and d.period_start = t.period_start
    where d.grain <> 'day' and d.last_day <= (select c.last_day from calendar as c)
),

needed_days as (
    select distinct local_date from days
),

facts as (
    select
        e.source_product_id,
        e.local_date,
        e.channel,
        e.campaign,
        '' as prefixes,
        null::varchar as device,
        e.impressions,
        e.clicks,
        e.cost_in_product_currency,
        e.cost_in_company_currency,
        e.impressions_with_cost,
        e.clicks_with_cost
    from exposure_cells as e
    semi join needed_days as n on e.local_date = n.local_date
    union all by name
    select
        v.source_product_id,
        v.local_date,
        v.channel,
        v.campaign,
        v.prefixes,
        coalesce(v.device, '(not set)') as device,
        v.page_views,
        v.visits,
        v.bounces,
        v.duration_milliseconds
    from visit_cells as v
    inner join products as p on v.source_product_id = p.product_id and p.traffic_source = 'own'
    semi join needed_days as n on v.local_date = n.local_date
    union all by name
    select
        t.source_product_id,
        t.local_date,
        t.channel,
        t.campaign,
        '' as prefixes,
        coalesce(t.device, '(not set)') as device,
        case when p.traffic_source = 'backend' then t.page_views end as page_views,
        case when p.traffic_source = 'backend' then t.visits end as visits,
        case when p.traffic_source = 'backend' then t.bounces end as bounces,
        case when p.traffic_source = 'backend' then t.duration_milliseconds end as duration_milliseconds,
        t.visits as reported_visits,
        t.page_views as reported_page_views
    from traffic as t
    inner join products as p on t.source_product_id = p.product_id
    semi join needed_days as n on t.local_date = n.local_date
),

-- who signed up in these periods, and whatever else they signed up for in their identity space
sign_ups as (
    select
        u.*,
        '' as prefixes
    from users as u
    semi join (
        select
            s.identity_space,
            s.user_id
        from users as s
        semi join needed_days as n on s.local_date = n.local_date
    ) as r on u.identity_space = r.identity_space and u.user_id = r.user_id
),

cells as (
    select source_product_id as product_id, local_date, channel, campaign, prefixes from facts
    union
    select source_product_id as product_id, local_date, channel, campaign, prefixes from sign_ups
),

scopes as (
    select * from ({{ cell_scopes(columns=['channel', 'campaign', 'prefixes']) }})
    where scope_kind in ('company', 'product', 'team')
),

facts_scoped as (
    select
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        f.*,
        case
            when s.scope_product_id = '(all)' then f.cost_in_company_currency else f.cost_in_product_currency
        end as cost
    from facts as f
    inner join scopes as s
        on
            f.source_product_id = s.product_id
            and f.local_date = s.local_date
            and f.channel = s.channel
            and f.campaign = s.campaign
            and f.prefixes = s.prefixes
),

-- at scopes of several products a user of an identity space signs up once: where they did first
sign_ups_scoped as (
    select
        s.scope_kind,
        s.scope_product_id as product_id,
        s.scope_id,
        u.source_product_id,
        u.local_date,
        u.channel,
        u.campaign,
        1 as sign_ups
    from sign_ups as u
    inner join scopes as s
        on
            u.source_product_id = s.product_id
            and u.local_date = s.local_date
            and u.channel = s.channel
            and u.campaign = s.campaign
            and u.prefixes = s.prefixes
    qualify row_number() over (
        partition by s.scope_kind, s.scope_product_id, s.scope_id, u.identity_space, u.user_id
        order by u.local_date, u.signed_up_at, u.source_product_id
    ) = 1
),

everything as (
    select * from facts_scoped
    union all by name
    select * from sign_ups_scoped
    union all by name
    select
        scope_kind,
        product_id,
        scope_id,
        source_product_id,
        local_date,
        channel,
        campaign,
        orders,
        revenue,
        points_issued,
        points_redeemed,
        points_cost
    from revenue_cells
    where scope_kind in ('company', 'product', 'team')
),

{%- set summed = member_measures() | reject('equalto', 'duration_seconds') | list + ['duration_milliseconds'] %}

summed_by_period as (
    select
        e.scope_kind,
        e.product_id,
        e.scope_id,
        d.grain,
        d.period_start,
        e.source_product_id,
        e.channel,
        e.campaign,
        e.device,
        {% for measure in summed -%}
        sum(e.{{ measure }}) as {{ measure }}{{ "," if not loop.last }}
        {% endfor %}
    from everything as e
    inner join days as d on e.local_date = d.local_date
    group by all
)

{% for dimension, column in [
    ('channel', 'channel'), ('campaign', 'campaign'), ('product', 'source_product_id'), ('device', 'device')
] -%}
select
    scope_kind,
    product_id,
    scope_id,
    grain,
    '{{ dimension }}' as dimension,
    {{ column }} as member,
    {% for measure in member_measures() -%}
    {{
        "sum(duration_milliseconds)::double / 1000" if measure == 'duration_seconds' else "sum(" ~ measure ~ ")::double"
    }} as {{ measure }},
    {% endfor -%}
    period_start
from summed_by_period
{% if dimension == 'product' -%}
where scope_kind <> 'product'
{% elif dimension == 'device' -%}
where device is not null
{% endif -%}
group by all
{{ "union all" if not loop.last }}
{% endfor %}
