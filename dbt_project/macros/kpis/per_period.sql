{#-
  Sums of day rows to date. Reads CTE `spine` (one row per scope, period and elapsed day) and `days`
  (scope_kind, product_id, scope_id, local_date and the measures), gives the spine with each measure
  summed from the period's first day to as_of_date; a day without a row adds 0.
-#}
{% macro summed_to_date(measures, days='days', by_period=false) %}
    select
        s.*,
        {% for measure in measures -%}
        sum(d.{{ measure }}) over to_date as {{ measure }}{{ "," if not loop.last }}
        {% endfor %}
    from spine as s
    left join {{ days }} as d
        on
            s.scope_kind = d.scope_kind
            and s.product_id = d.product_id
            and s.scope_id = d.scope_id
            and s.as_of_date = d.local_date
            {% if by_period -%}
            and s.grain = d.grain
            and s.period_start = d.period_start
            {%- endif %}
    window to_date as (
        partition by s.scope_kind, s.product_id, s.scope_id, s.grain, s.period_start
        order by s.as_of_date
        rows between unbounded preceding and current row
    )
{% endmacro %}

{#-
  The same for scopes that have no row for every day: periods that are over and in which there was
  something. is_seen: a condition on the sums. Reads the CTEs `days`, `period_days`, `touched` and
  `calendar` (last_day).
-#}
{% macro summed_sparsely(measures, scope_kinds, days='days', is_seen=none) %}
    select
        d.scope_kind,
        d.product_id,
        d.scope_id,
        p.grain,
        p.period_start,
        p.period_end,
        p.last_day,
        p.last_day as as_of_date,
        {% for measure in measures -%}
        sum(d.{{ measure }}) as {{ measure }}{{ "," if not loop.last }}
        {% endfor %}
    from {{ days }} as d
    inner join period_days as p on d.local_date = p.as_of_date
    inner join touched as t on p.grain = t.grain and p.period_start = t.period_start
    where d.scope_kind in ('{{ scope_kinds | join("', '") }}') and p.last_day <= (select c.last_day from calendar as c)
    group by all
    {% if is_seen -%} having {{ is_seen }} {%- endif %}
{% endmacro %}

{#- What kpi_exposure sums over days; reach is summed for the mean of days alone. -#}
{% macro exposure_measures() %}
    {{ return([
        'impressions', 'clicks', 'cost', 'impressions_with_cost', 'clicks_with_cost', 'rows_without_rate',
        'rows_shown', 'own_impressions', 'market_impressions', 'reach_of_days', 'days_with_reach'
    ]) }}
{% endmacro %}

{#- What kpi_revenue sums over days. -#}
{% macro revenue_measures() %}
    {{ return([
        'orders', 'orders_with_value', 'revenue', 'gross_profit', 'orders_without_margin',
        'points_issued', 'points_redeemed', 'points_cost', 'redemptions_without_cost', 'new_customers'
    ]) }}
{% endmacro %}

{#- What kpi_economics sums over days; each is of the days of a product on which both feeds landed. -#}
{% macro economics_measures() %}
    {{ return([
        'exposures_beside_visits', 'cost_beside_visits', 'unrated_beside_visits',
        'exposures_beside_users', 'cost_beside_users', 'unrated_beside_users',
        'visits_beside_cost', 'visits_beside_sign_ups', 'sign_ups_beside_visits',
        'new_customers_beside_cost', 'profit_beside_cost', 'orders_beside_cost',
        'valued_beside_cost', 'unknown_beside_cost'
    ]) }}
{% endmacro %}

{#- What kpi_visits sums over days. -#}
{% macro visit_measures() %}
    {{ return([
        'page_views', 'visits', 'bounces', 'duration_milliseconds', 'days_without_page_views',
        'days_without_bounces', 'days_without_durations', 'reported_visits', 'reported_page_views',
        'compared_visits', 'compared_reported_visits', 'excluded_page_views', 'visitors_of_days',
        'days_with_visitors'
    ]) }}
{% endmacro %}

{#- The keys every kpi model shares, in order. -#}
{% macro kpi_keys(alias) -%}
    {{ alias }}.scope_kind,
    {{ alias }}.product_id,
    {{ alias }}.scope_id,
    {{ alias }}.grain,
    {{ alias }}.period_start,
    {{ alias }}.as_of_date,
    {{ alias }}.period_end
{%- endmacro %}

{#- The spine of one family. -#}
{% macro spine_of(family) -%}
    select * exclude (family) from {{ ref('int_kpi_spine') }} where family = '{{ family }}'
{%- endmacro %}

{#- A ratio; NULL without a denominator. -#}
{% macro ratio(numerator, denominator) -%}
    ({{ numerator }})::double / nullif({{ denominator }}, 0)
{%- endmacro %}
