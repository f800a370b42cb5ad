{#-
  The line and the spread of a process behaviour chart, by the rules of docs/signals.md. Reads CTE
  `baselines` with the columns grain, unit and points (structs t, value, weekday, by t), and gives the
  CTE `<name>_spread`: its columns, points as far as their weekday has an index, and
    points_used, mean_t, mean_z, slope, sum_tt   the line z = mean_z + slope × (t − mean_t)
    has_trend, is_logarithmic                    whether it slopes, and whether z is a logarithm
    is_signed, weekday_indexes                   what the weekday takes away: a share, a difference if signed
    spread, has_spread                           in units of z; whether it is more than rounding
  Lists are read in their order, so that the same points give the same bits.
-#}
{% macro process_lines(name, baselines) %}
{{ name }}_weekdays as (
    select
        *,
        list_avg([p.value for p in points]) as mean_value,
        list_min([p.value for p in points]) < 0 as is_signed,
        case
            when grain = 'day'
                then [list_avg([p.value for p in points if p.weekday = w]) for w in [1, 2, 3, 4, 5, 6, 7]]
        end as weekday_means
    from {{ baselines }}
),

{{ name }}_indexed as (
    select
        * exclude (weekday_means),
        case
            when is_signed then [m - mean_value for m in weekday_means]
            else [m / nullif(mean_value, 0) for m in weekday_means]
        end as weekday_indexes
    from {{ name }}_weekdays
),

{{ name }}_adjusted as (
    select
        * replace ([
            {
                't': p.t,
                'value': p.value,
                'weekday': p.weekday,
                'y': case
                    when grain <> 'day' then p.value
                    when is_signed then p.value - weekday_indexes[p.weekday]
                    else p.value / nullif(weekday_indexes[p.weekday], 0)
                end
            }
            for p in points
            if grain <> 'day' or is_signed or weekday_indexes[p.weekday] > 0
        ] as points)
    from {{ name }}_indexed
),

{{ name }}_centred as (
    select
        *,
        len(points) as points_used,
        list_avg([p.t for p in points]) as mean_t,
        list_avg([p.y for p in points]) as mean_y,
        unit in ('count', 'money') and list_min([p.y for p in points]) > 0 as is_all_positive
    from {{ name }}_adjusted
),

{{ name }}_scaled as (
    select
        *,
        [case when is_all_positive then ln(p.y) else p.y end for p in points] as zs,
        list_avg([case when is_all_positive then ln(p.y) else p.y end for p in points]) as mean_tested,
        list_sum([(p.t - mean_t) ** 2 for p in points]) as sum_tt
    from {{ name }}_centred
),

{{ name }}_sloped as (
    select
        *,
        list_sum([(points[i].t - mean_t) * (zs[i] - mean_tested) for i in range(1, points_used + 1)])
        / nullif(sum_tt, 0) as slope_tested
    from {{ name }}_scaled
),

{{ name }}_tested as (
    select
        *,
        coalesce(
            points_used > 2
            and abs(slope_tested) > 2 * sqrt(
                list_sum([
                    (zs[i] - mean_tested - slope_tested * (points[i].t - mean_t)) ** 2
                    for i in range(1, points_used + 1)
                ]) / (points_used - 2) / sum_tt
            ),
            false
        ) as has_trend
    from {{ name }}_sloped
),

{{ name }}_fitted as (
    select
        * exclude (zs, mean_y, mean_tested, slope_tested, is_all_positive) replace ([
            {
                't': points[i].t,
                'value': points[i].value,
                'weekday': points[i].weekday,
                'residual': case
                    when has_trend then zs[i] - mean_tested - slope_tested * (points[i].t - mean_t)
                    else points[i].y - mean_y
                end
            }
            for i in range(1, points_used + 1)
        ] as points),
        has_trend and is_all_positive as is_logarithmic,
        case when has_trend then mean_tested else mean_y end as mean_z,
        case when has_trend then slope_tested else 0 end as slope
    from {{ name }}_tested
),

{{ name }}_ranged as (
    select
        *,
        case
            when points_used > 2
                then greatest(
                    coalesce(list_avg([
                        abs(points[i].residual - points[i - 1].residual)
                        for i in range(2, points_used + 1)
                        if points[i].t - points[i - 1].t = 1
                    ]), 0) / 1.128,
                    sqrt(
                        list_sum([p.residual ** 2 for p in points])
                        / (points_used - case when has_trend then 2 else 1 end)
                    )
                )
        end as spread
    from {{ name }}_fitted
),

{{ name }}_spread as (
    select
        *,
        coalesce(spread > 1e-9 * case when is_logarithmic then 1 else abs(mean_z) end, false) as has_spread
    from {{ name }}_ranged
)
{% endmacro %}

{#- How far a limit is from the centre at `t`, in units of z. -#}
{% macro limit_distance(t) -%}
    3 * spread * case
        when has_trend then sqrt(1 + 1 / points_used + ({{ t }} - mean_t) ** 2 / sum_tt) else 1
    end
{%- endmacro %}

{#- A number that is one higher for each next period of a grain. -#}
{% macro period_number(grain, start) -%}
    case {{ grain }}
        when 'day' then {{ start }} - date '2000-01-01'
        when 'week' then (({{ start }} - date '1900-01-01') // 7)
        else 12 * year({{ start }}) + month({{ start }})
    end
{%- endmacro %}
