{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views']}
) }}

with

visits as not materialized (
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
        w.period_end,
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
{{ first_touches('week') }},

all_touches as (
    select * from touches
    union all
    select
        p.part_number,
        f.visitor_key,
        f.touch_without_channel + c.channel_number::ubigint as touch
    from found as f
    inner join parts as p
        on
            f.scope_kind = p.scope_kind
            and f.scope_id = p.scope_id
            and f.grain = p.grain
            and f.period_start = p.period_start
    inner join channels as c on f.channel = c.channel
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
    inner join scope_products as s on s.valid_from < w.period_end and w.period_start < s.valid_to
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

-- the parts whose visitors a scope's are
parts_of_scopes as (
    select
        'product' as scope_kind,
        scope_id as product_id,
        scope_id,
        part_number
    from parts
    where scope_kind = 'product'
    union all
    select
        'company' as scope_kind,
        '(all)' as product_id,
        '(all)' as scope_id,
        part_number
    from parts
    where scope_kind = 'product'
    union all
    select
        'team' as scope_kind,
        '(all)' as product_id,
        t.scope_id,
        p.part_number
    from team_products as t
    inner join parts as p
        on
            t.grain = p.grain
            and t.period_start = p.period_start
            and case when t.is_whole then 'product' else 'team' end = p.scope_kind
            and case when t.is_whole then t.product_id else t.scope_id end = p.scope_id
    group by all
),

told as (
    select
        s.scope_kind,
        s.product_id,
        s.scope_id,
        i.grain,
        i.period_start,
        list(s.part_number order by s.part_number) as part_numbers
    from pieces as i
    inner join parts as p on i.piece_grain = p.grain and i.piece_start = p.period_start
    inner join parts_of_scopes as s on p.part_number = s.part_number
    anti join not_told as n
        on
            s.scope_kind = n.scope_kind
            and s.product_id = n.product_id
            and s.scope_id = n.scope_id
            and i.grain = n.grain
            and i.period_start = n.period_start
    group by all
),

-- scopes that are of the same parts are counted once, and a part alone has each visitor once
sets as (
    select
        row_number() over (order by part_numbers)::integer as set_number,
        part_numbers
    from (select distinct part_numbers from told) as found_sets
),

parts_alone as (
    select
        part_number,
        {{ channel_number_of('touch') }} as channel_number,
        count(*) as visitors
    from all_touches
    group by all
),

parts_joined as (
    select
        set_number,
        unnest(part_numbers) as part_number
    from sets
    where len(part_numbers) > 1
),

first_of_all as (
    select
        j.set_number,
        t.visitor_key,
        min(t.touch) as touch
    from all_touches as t
    inner join parts_joined as j on t.part_number = j.part_number
    group by j.set_number, t.visitor_key
),

counted as (
    select
        s.set_number,
        a.channel_number,
        a.visitors
    from sets as s
    inner join parts_alone as a on s.part_numbers = [a.part_number]
    union all
    select
        set_number,
        {{ channel_number_of('touch') }} as channel_number,
        count(*) as visitors
    from first_of_all
    group by all
)

select
    t.scope_kind,
    t.product_id,
    t.scope_id,
    t.grain,
    c.channel,
    n.visitors,
    t.period_start
from told as t
inner join sets as s on t.part_numbers = s.part_numbers
inner join counted as n on s.set_number = n.set_number
inner join channels as c on n.channel_number = c.channel_number
