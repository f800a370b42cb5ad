-- a visit has at least one page view and a visitor; bounces are visits
select *
from {{ ref('kpi_visits') }}
where
    bounces > visits
    or new_visitors > unique_visitors
    or (scope_kind in ('company', 'product', 'channel') and (page_views < visits or unique_visitors > visits))
