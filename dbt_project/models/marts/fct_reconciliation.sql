with

days as (
    select * from {{ ref('int_reconciliation_days') }}
),

thresholds as (
    select
        product_id,
        max(value) filter (where name = 'reconciliation_gap_share') as tolerance,
        max(value) filter (where name = 'reconciliation_smallest_base') as smallest_base,
        max(value) filter (where name = 'reconciliation_days_share') as told_from
    from {{ ref('stg_landing__thresholds') }}
    where feed = 'traffic'
    group by product_id
)

select
    d.source_product_id as product_id,
    d.channel,
    d.measure,
    d.own,
    d.reported,
    d.reported - d.own as gap,
    (d.reported - d.own) / nullif(d.own, 0) as gap_share,
    t.tolerance,
    t.told_from,
    greatest(d.own, d.reported) >= t.smallest_base as is_judged,
    {{ is_beyond_tolerance('d.own', 'd.reported', 't.tolerance', 't.smallest_base') }} as is_beyond_tolerance,
    d.local_date
from days as d
inner join thresholds as t on d.source_product_id = t.product_id
