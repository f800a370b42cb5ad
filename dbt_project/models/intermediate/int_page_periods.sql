{{ config(
    materialized='incremental', incremental_strategy='redo',
    meta={'reach': 'onward', 'feeds': ['page_views']}
) }}

with

page_days as (
    select * from {{ ref('int_page_days') }}
),

page_visitor_days as (
    select * from {{ ref('int_page_visitor_days') }}
),

pages as (
    select * from {{ ref('int_pages') }}
),

prefixes as (
    select
        source_product_id,
        path_key,
        unnest(string_split(prefixes, chr(31))) as prefix
    from {{ ref('int_page_prefixes') }}
),

calendar as (
    select max(day) as last_day from {{ ref('int_calendar_days') }}
),

quarters as (
    select
        p.period_start as quarter_start,
        p.period_end as quarter_end,
        {{ first_week_of('p.period_start', 'min(c.week_start)') }} as first_week
    from {{ ref('dim_periods') }} as p
    inner join {{ ref('int_calendar_days') }} as c on p.period_start <= c.day and c.day < p.period_end
    where p.grain = 'quarter'
    group by p.period_start, p.period_end
),

-- pages have values of periods that are over
period_days as (
    select
        d.grain,
        d.period_start,
        d.period_end,
        d.last_day,
        d.as_of_date as local_date
    from {{ ref('int_period_days') }} as d
    inner join {{ ref('int_periods_touched') }} as t
        on d.grain = t.grain and d.period_start = t.period_start and t.layer = 'values'
    where d.last_day <= (select c.last_day from calendar as c)
),

summed as (
    select
        d.source_product_id,
        d.path_key,
        p.grain,
        p.period_start,
        sum(d.page_views) as page_views,
        sum(d.entries) as entries,
        sum(d.bounces) as bounces
    from page_days as d
    inner join period_days as p on d.local_date = p.local_date
    group by all
),

ranked as (
    select
        s.*,
        g.path,
        row_number() over (
            partition by s.source_product_id, s.grain, s.period_start order by s.page_views desc, g.path
        ) <= {{ var('pages_kept') }} as is_kept
    from summed as s
    inner join pages as g on s.path_key = g.path_key
),

-- a prefix is written with a star, for a page may have the same path
members as (
    select
        source_product_id,
        path_key,
        grain,
        period_start,
        case when is_kept then path else '(other)' end as page,
        page_views,
        entries,
        bounces,
        is_kept as is_counted
    from ranked
    union all
    select
        r.source_product_id,
        r.path_key,
        r.grain,
        r.period_start,
        x.prefix || '/*' as page,
        r.page_views,
        r.entries,
        r.bounces,
        true as is_counted
    from ranked as r
    inner join prefixes as x on r.source_product_id = x.source_product_id and r.path_key = x.path_key
),

-- on a day a page's visitors are its rows; those of a prefix may have seen several of its pages
visitors_of_days as (
    select
        d.source_product_id,
        r.path as page,
        'day' as grain,
        d.local_date as period_start,
        d.visitors as unique_visitors
    from page_days as d
    inner join ranked as r
        on
            d.source_product_id = r.source_product_id
            and d.path_key = r.path_key
            and d.local_date = r.period_start
    where r.grain = 'day' and r.is_kept
    union all
    select
        x.source_product_id,
        x.prefix || '/*' as page,
        'day' as grain,
        v.local_date as period_start,
        count(distinct v.visitor_key) as unique_visitors
    from page_visitor_days as v
    inner join prefixes as x on v.source_product_id = x.source_product_id and v.path_key = x.path_key
    semi join period_days as p on v.local_date = p.local_date and p.grain = 'day'
    group by all
),

-- one bit for each week that ends in a quarter, and one for each of its months
bits_of_periods as (
    select
        p.grain,
        p.period_start,
        q.quarter_start,
        case p.grain
            when 'week' then 1 << ((p.period_start - q.first_week) // 7)::integer
            when 'month' then 1 << (20 + date_diff('month', q.quarter_start, p.period_start)::integer)
            when 'quarter' then 7 << 20
        end as bits
    from (select distinct grain, period_start, last_day from period_days where grain <> 'day') as p
    inner join quarters as q on q.quarter_start <= p.last_day and p.last_day < q.quarter_end
),

bits_of_days as (
    select
        p.local_date,
        b.quarter_start,
        bit_or(
            case
                when p.grain = 'quarter' then 1 << (20 + date_diff('month', b.quarter_start, p.local_date)::integer)
                else b.bits
            end
        ) as bits
    from period_days as p
    inner join bits_of_periods as b on p.grain = b.grain and p.period_start = b.period_start
    group by all
),

members_counted as (
    select distinct
        source_product_id,
        path_key,
        page,
        {{ key_of(['source_product_id', 'page']) }} as page_key
    from members
    where is_counted and grain <> 'day'
),

visitors_seen as (
    select
        d.quarter_start,
        m.page_key,
        v.visitor_key,
        bit_or(d.bits) as bits
    from page_visitor_days as v
    inner join members_counted as m on v.source_product_id = m.source_product_id and v.path_key = m.path_key
    inner join bits_of_days as d on v.local_date = d.local_date
    group by all
),

visitors_summed as (
    select
        quarter_start,
        page_key,
        bits,
        count(*) as visitors
    from visitors_seen
    group by all
),

visitors_of_longer_periods as (
    select
        s.page_key,
        b.grain,
        b.period_start,
        sum(s.visitors) as unique_visitors
    from visitors_summed as s
    inner join bits_of_periods as b on s.quarter_start = b.quarter_start and s.bits & b.bits <> 0
    group by all
),

visitors_counted as (
    select * from visitors_of_days
    union all by name
    select
        m.source_product_id,
        m.page,
        v.grain,
        v.period_start,
        v.unique_visitors
    from visitors_of_longer_periods as v
    inner join (select distinct source_product_id, page, page_key from members_counted) as m
        on v.page_key = m.page_key
),

added as (
    select
        source_product_id,
        page,
        grain,
        period_start,
        sum(page_views) as page_views,
        sum(entries) as entries,
        sum(bounces) as bounces
    from members
    group by all
)

select
    a.source_product_id as product_id,
    a.page,
    a.grain,
    a.page_views::bigint as page_views,
    v.unique_visitors::bigint as unique_visitors,
    a.entries::bigint as entries,
    a.bounces::bigint as bounces,
    a.period_start
from added as a
left join visitors_counted as v
    on
        a.source_product_id = v.source_product_id
        and a.page = v.page
        and a.grain = v.grain
        and a.period_start = v.period_start
