with

days as (
    select * from {{ ref('int_calendar_days') }}
),

scope_products as (
    select * from {{ ref('int_scope_products') }}
),

product_feeds as (
    select * from {{ ref('int_product_feeds') }}
),

slices as (
    select * from {{ ref('stg_landing__slices') }}
),

product_days as (
    select
        f.feed,
        f.product_id,
        d.day,
        coalesce(s.status = 'landed', false) as is_landed
    from product_feeds as f
    cross join days as d
    left join slices as s on f.landed_as = s.feed and f.product_id = s.product_id and d.day = s.day
),

scope_days as (
    select
        p.feed,
        s.scope_kind,
        s.product_id,
        s.scope_id,
        p.day,
        bool_or(p.is_landed) as is_landed,
        not bool_and(p.is_landed) as has_gap,
        min(s.valid_from) as exists_from
    from scope_products as s
    inner join product_days as p
        on
            s.source_product_id = p.product_id
            and s.valid_from <= p.day
            and p.day < s.valid_to
            and not (s.is_pages_only and p.feed in ('exposure', 'user_growth'))
    group by all
),

scopes_begun as (
    select
        feed,
        scope_kind,
        product_id,
        scope_id,
        min(day) as first_day,
        min(exists_from) < min(day) as is_history_unknown
    from scope_days
    group by all
),

-- a period goes on after what a person owned in it went to somebody else
days_laid as (
    select
        b.feed,
        b.scope_kind,
        b.product_id,
        b.scope_id,
        b.first_day,
        b.is_history_unknown,
        d.day,
        coalesce(s.is_landed, false) as is_landed,
        coalesce(s.has_gap, false) as has_gap,
        s.day is not null as is_expected
    from scopes_begun as b
    inner join days as d on b.first_day <= d.day
    left join scope_days as s
        on
            b.feed = s.feed
            and b.scope_kind = s.scope_kind
            and b.product_id = s.product_id
            and b.scope_id = s.scope_id
            and d.day = s.day
),

-- running sums make every window two look-ups
summed as (
    select
        *,
        (count_if(is_landed) over running)::bigint as landed_to_date,
        (count_if(has_gap) over running)::bigint as gaps_to_date,
        (count_if(is_expected) over running)::bigint as days_to_date
    from days_laid
    window running as (partition by feed, scope_kind, product_id, scope_id order by day)
)

select * from summed
