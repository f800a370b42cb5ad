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
        not bool_and(p.is_landed) as has_gap
    from scope_products as s
    inner join product_days as p
        on
            s.source_product_id = p.product_id
            and s.valid_from <= p.day
            and p.day < s.valid_to
    group by all
),

-- running sums make every window two look-ups
summed as (
    select
        *,
        (count_if(is_landed) over running)::bigint as landed_to_date,
        (count_if(has_gap) over running)::bigint as gaps_to_date,
        count(*) over running as days_to_date,
        min(day) over (partition by feed, scope_kind, product_id, scope_id) as first_day
    from scope_days
    window running as (partition by feed, scope_kind, product_id, scope_id order by day)
)

select * from summed
