with

-- what users do and what they buy are two families of one feed: their channels begin on other days
product_feeds as (
    select * from {{ ref('int_product_feeds') }} where family is not null
    union all
    select * replace ('revenue' as family) from {{ ref('int_product_feeds') }} where family = 'users'
),

memberships as (
    select * from {{ ref('int_memberships') }}
),

channels as (
    select * from {{ ref('int_channels_seen') }}
),

days as (
    select min(day) as first_day from {{ ref('int_calendar_days') }}
),

scoped as (
    select
        family,
        'company' as scope_kind,
        '(all)' as product_id,
        '(all)' as scope_id,
        min(started_on) as exists_from,
        date '9999-12-31' as exists_to
    from product_feeds
    group by family
    union all
    select
        family,
        'product' as scope_kind,
        product_id,
        product_id as scope_id,
        min(started_on) as exists_from,
        date '9999-12-31' as exists_to
    from product_feeds
    group by family, product_id
    union all
    select
        family,
        'channel' as scope_kind,
        product_id,
        channel as scope_id,
        first_day as exists_from,
        date '9999-12-31' as exists_to
    from channels
    union all
    select
        family,
        'channel' as scope_kind,
        '(all)' as product_id,
        channel as scope_id,
        min(first_day) as exists_from,
        date '9999-12-31' as exists_to
    from channels
    group by family, channel
    union all
    select
        f.family,
        m.scope_kind,
        '(all)' as product_id,
        m.scope_id,
        greatest(min(m.valid_from), min(f.started_on)) as exists_from,
        max(m.valid_to) as exists_to
    from memberships as m
    inner join product_feeds as f on m.product_id = f.product_id
    where m.what <> 'page_prefix' or f.family = 'visits'
    group by f.family, m.scope_kind, m.scope_id
)

select
    s.family,
    s.scope_kind,
    s.product_id,
    s.scope_id,
    greatest(s.exists_from, d.first_day) as exists_from,
    s.exists_to
from scoped as s
cross join days as d
