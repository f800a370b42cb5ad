with

reports as (
    select * from {{ ref('int_reports') }}
),

reader_scopes as (
    select * from {{ ref('int_reader_scopes') }} where section in ('mine', 'team', 'company')
),

scope_products as (
    select * from {{ ref('int_scope_products') }}
),

period_stages as (
    select * from {{ ref('int_period_stages') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

stages as (
    select * from {{ ref('dim_product_stages') }}
)

select distinct
    r.report,
    s.person_id,
    t.period_start,
    t.product_id,
    p.name as product_label,
    t.stage,
    t.since,
    d.previous_stage,
    case when t.since > t.period_start then t.since end as changed_on
from reports as r
inner join period_stages as t on r.grain = t.grain and not t.is_past
inner join reader_scopes as s
    on r.rank = s.rank and s.valid_from <= t.judged_on and t.judged_on < s.valid_until
inner join scope_products as sp
    on
        s.scope_kind = sp.scope_kind
        and s.product_id = sp.product_id
        and s.scope_id = sp.scope_id
        and t.product_id = sp.source_product_id
        and sp.valid_from <= t.judged_on
        and t.judged_on < sp.valid_to
inner join products as p on t.product_id = p.product_id
inner join stages as d on t.product_id = d.product_id and t.since = d.valid_from
