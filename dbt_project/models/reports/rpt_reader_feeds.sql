with

reports as (
    select * from {{ ref('int_reports') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

reader_scopes as (
    select * from {{ ref('int_reader_scopes') }} where section in ('mine', 'team', 'company')
),

scopes as (
    select * from {{ ref('int_scopes') }}
),

scope_products as (
    select * from {{ ref('int_scope_products') }}
),

product_feeds as (
    select * from {{ ref('int_product_feeds') }} where feed = landed_as
),

slices as (
    select * from {{ ref('fct_slices') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

thresholds as (
    select * from {{ ref('stg_landing__thresholds') }} where name = 'data_until_hours'
),

needs as (
    select distinct
        s.person_id,
        s.rank,
        sp.source_product_id as product_id,
        f.feed,
        greatest(s.valid_from, sp.valid_from) as needed_from,
        least(s.valid_until, sp.valid_to) as needed_until
    from reader_scopes as s
    inner join scope_products as sp
        on s.scope_kind = sp.scope_kind and s.product_id = sp.product_id and s.scope_id = sp.scope_id
    inner join product_feeds as f on sp.source_product_id = f.product_id
    inner join scopes as k
        on
            s.scope_kind = k.scope_kind
            and s.product_id = k.product_id
            and s.scope_id = k.scope_id
            and case f.feed
                when 'exposure' then 'exposure'
                when 'user_growth' then 'users'
                else 'visits'
            end = k.family
),

needs_by_period as (
    select distinct
        r.report,
        n.person_id,
        p.period_start,
        p.period_end,
        p.last_day as as_of_date,
        n.product_id,
        n.feed,
        greatest(p.period_start, min(n.needed_from) over reader) as first_day
    from reports as r
    inner join periods as p on r.grain = p.grain
    inner join needs as n
        on r.rank = n.rank and n.needed_from <= p.last_day and p.last_day < n.needed_until
    window reader as (
        partition by r.report, n.person_id, p.period_start, n.product_id, n.feed
    )
),

slice_days as (
    select
        n.report,
        n.person_id,
        n.period_start,
        n.product_id,
        n.feed,
        count(*) filter (where s.status = 'landed') as days_landed,
        count(*) filter (where s.status = 'absent') as days_absent,
        count(*) filter (where s.status = 'rejected') as days_rejected,
        coalesce(sum(s.checks_passed), 0) as checks_passed,
        coalesce(sum(s.checks_warned), 0) as checks_warned
    from needs_by_period as n
    left join slices as s
        on
            n.feed = s.feed
            and n.product_id = s.product_id
            and n.first_day <= s.day
            and s.day < n.period_end
    group by all
),

landed as (
    select
        s.feed,
        s.product_id,
        s.day,
        (s.day + interval 1 day)::timestamp as day_ends_at,
        timezone(p.time_zone, timezone('UTC', s.last_at)) as data_end_at,
        t.value * 3600 as seconds_told
    from slices as s
    inner join products as p on s.product_id = p.product_id
    inner join thresholds as t on s.feed = t.feed and s.product_id = t.product_id
    where s.status = 'landed'
),

landed_through as (
    select
        feed,
        product_id,
        day,
        day as data_through,
        case
            when date_diff('second', data_end_at, day_ends_at) >= seconds_told then data_end_at
        end as data_until
    from landed
)

select
    n.report,
    n.person_id,
    n.period_start,
    n.period_end,
    n.as_of_date,
    n.product_id,
    n.feed,
    (n.period_end - n.first_day)::integer as days_expected,
    d.days_landed::integer as days_landed,
    d.days_absent::integer as days_absent,
    d.days_rejected::integer as days_rejected,
    d.checks_passed::bigint as checks_passed,
    d.checks_warned::bigint as checks_warned,
    l.data_through,
    l.data_until
from needs_by_period as n
inner join slice_days as d
    on
        n.report = d.report
        and n.person_id = d.person_id
        and n.period_start = d.period_start
        and n.product_id = d.product_id
        and n.feed = d.feed
asof left join landed_through as l
    on n.feed = l.feed and n.product_id = l.product_id and n.as_of_date >= l.day
