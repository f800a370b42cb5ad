-- what the members of a dimension contributed is the change of the KPI, and what is left is nothing
with

drivers as (
    select * from {{ ref('fct_kpi_drivers') }} where contribution is not null
),

kpi_values as (
    select * from {{ ref('fct_kpi_values') }}
),

periods as (
    select * from {{ ref('dim_periods') }}
),

summed as (
    select
        kpi_id,
        product_id,
        scope_kind,
        scope_id,
        grain,
        period_start,
        as_of_date,
        comparison,
        dimension,
        coalesce(sum(contribution) filter (where effect <> 'residual'), 0) as contribution,
        max(contribution) filter (where effect = 'residual') as residual,
        -- where large contributions cancel each other, the last digits of a double are all there is
        1e-13 * max(abs(contribution)) as last_digits
    from drivers
    group by all
)

select
    s.*,
    b.value as before,
    v.value as after
from summed as s
inner join periods as p on s.grain = p.grain and s.period_start = p.period_start
left join kpi_values as v
    on
        s.kpi_id = v.kpi_id
        and s.product_id = v.product_id
        and s.scope_kind = v.scope_kind
        and s.scope_id = v.scope_id
        and s.grain = v.grain
        and s.period_start = v.period_start
        and s.as_of_date = v.as_of_date
left join kpi_values as b
    on
        s.kpi_id = b.kpi_id
        and s.product_id = b.product_id
        and s.scope_kind = b.scope_kind
        and s.scope_id = b.scope_id
        and s.grain = b.grain
        and b.period_start = case s.comparison when 'previous' then p.comparison_start else p.last_year_start end
        and b.as_of_date = b.period_end - 1
where
    not coalesce(
        abs(v.value - b.value - s.contribution) <= greatest({{ nearness('v.value', 'b.value') }}, s.last_digits)
        and abs(s.residual) <= greatest({{ nearness('v.value', 'b.value') }}, s.last_digits),
        false
    )
