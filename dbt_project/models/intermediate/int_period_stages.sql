with

periods as (
    select * from {{ ref('dim_periods') }}
),

stages as (
    select
        *,
        coalesce(valid_to, date '9999-12-31') as valid_until
    from {{ ref('dim_product_stages') }}
),

-- a product's stage for a period is its stage on the last day; a stage that ended inside comes second
overlapping as (
    select
        s.product_id,
        p.grain,
        p.period_start,
        s.stage,
        s.valid_from as since,
        s.valid_until <= p.last_day as is_past,
        case
            when s.valid_until <= p.last_day then (s.valid_until - interval 1 day)::date
            else p.last_day
        end as judged_on
    from periods as p
    inner join stages as s on s.valid_from < p.period_end and p.period_start < s.valid_until
)

select * from overlapping
