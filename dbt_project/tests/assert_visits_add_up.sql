-- a visit has at least one page view and a visitor; bounces are visits
-- a backend reports its visitors for whole periods, so they exceed its visits where only some days landed
with

kpi_visits as (
    select * from {{ ref('kpi_visits') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
)

select v.*
from kpi_visits as v
left join products as p on v.product_id = p.product_id
where
    v.bounces > v.visits
    or v.new_visitors > v.unique_visitors
    or (v.scope_kind in ('company', 'product', 'channel') and v.page_views < v.visits)
    or (p.traffic_source = 'own' and v.scope_kind <> 'page' and v.unique_visitors > v.visits)
