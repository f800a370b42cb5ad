{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views']}
) }}

with

visits as (
    select * from {{ ref('int_visits') }}
),

found as (
    select * from {{ ref('int_first_touches_found') }}
),

memberships as (
    select * from {{ ref('int_memberships') }}
),

scope_products as (
    select * from {{ ref('int_scope_products') }}
),

products as (
    select * from {{ ref('stg_organisation__products') }}
),

cells as (
    {{ cells_numbered() }}
),

channels as (
    select distinct
        channel_number,
        channel
    from cells
),

wanted as (
    {{ periods_over(['week', 'month', 'quarter']) }}
),

-- what a period is made of: a week of itself, the others of months
pieces as (
    select
        w.grain,
        w.period_start,
        p.grain as piece_grain,
        p.period_start as piece_start,
        p.period_end as piece_end
    from wanted as w
    inner join {{ ref('dim_periods') }} as p
        on
            p.grain = case w.grain when 'week' then 'week' else 'month' end
            and w.period_start <= p.period_start
            and p.period_end <= w.period_end
),

periods as (
    select distinct
        piece_grain as grain,
        piece_start as period_start,
        piece_end as period_end
    from pieces
),

-- of visits only the weeks are read: what months come to was kept
days as (
    select
        d.grain,
        d.period_start,
        d.as_of_date as local_date
    from {{ ref('int_period_days') }} as d
    semi join wanted as w on d.grain = w.grain and d.period_start = w.period_start
    where d.grain = 'week'
),

{{ first_touches() }},

all_touches as (
    select * from touches
    union all by name
    select
        f.scope_kind,
        f.scope_id,
        f.grain,
        f.period_start,
        f.visitor_key,
        f.touch_without_channel + c.channel_number::ubigint as touch
    from found as f
    semi join periods as p on f.grain = p.grain and f.period_start = p.period_start
    inner join channels as c on f.channel = c.channel
),

-- whose first visits a scope's are, piece by piece
scopes as (
    select
        grain,
        period_start,
        'team' as scope_kind,
        '(all)' as product_id,
        scope_id,
        case when is_whole then 'product' else 'team' end as of_kind,
        case when is_whole then product_id else scope_id end as of_id
    from team_products
    union
    select
        p.grain,
        p.period_start,
        s.scope_kind,
        s.product_id,
        s.scope_id,
        'product' as of_kind,
        o.product_id as of_id
    from periods as p
    cross join products as o
    cross join lateral (values
        ('company', '(all)', '(all)'), ('product', o.product_id, o.product_id)
    ) as s (scope_kind, product_id, scope_id)
),

-- a backend counts its visitors itself; and who came to the pages of a team from elsewhere on the site
-- entered by no visit that counts for it
not_told as (
    select
        w.grain,
        w.period_start,
        s.scope_kind,
        s.product_id,
        s.scope_id
    from wanted as w
    cross join scope_products as s
    inner join products as o on s.source_product_id = o.product_id and o.traffic_source = 'backend'
    union
    select
        w.grain,
        w.period_start,
        m.scope_kind,
        '(all)' as product_id,
        m.scope_id
    from wanted as w
    inner join memberships as m on m.valid_from < w.period_end and w.period_start < m.valid_to
    where m.what = 'page_prefix' and m.scope_kind = 'team'
),

first_of_all as (
    select
        s.scope_kind,
        s.product_id,
        s.scope_id,
        i.grain,
        i.period_start,
        t.visitor_key,
        min(t.touch) as touch
    from pieces as i
    inner join scopes as s on i.piece_grain = s.grain and i.piece_start = s.period_start
    inner join all_touches as t
        on s.of_kind = t.scope_kind and s.of_id = t.scope_id and s.grain = t.grain and s.period_start = t.period_start
    anti join not_told as n
        on
            s.scope_kind = n.scope_kind
            and s.product_id = n.product_id
            and s.scope_id = n.scope_id
            and i.grain = n.grain
            and i.period_start = n.period_start
    group by all
)

select
    f.scope_kind,
    f.product_id,
    f.scope_id,
    f.grain,
    c.channel,
    count(*) as visitors,
    f.period_start
from first_of_all as f
inner join channels as c on {{ channel_number_of('f.touch') }} = c.channel_number
group by all
