{#- Every KPI column of every kpis model as rows, at the scopes its metadata names. -#}
{% macro kpis_unpivoted() %}
    {#- said at parse time, when the columns are not known yet, so that dbt orders the models -#}
    {%- for model in kpi_models() -%} {%- do ref(model) -%} {%- endfor -%}
    {%- set maturing = maturing_kpis() -%}
    {%- for kpi in kpi_columns() %}
    select
        '{{ kpi.kpi_id }}' as kpi_id,
        '{{ kpi.feed_set }}' as feed_set,
        '{{ kpi.window }}' as "window",
        {{ kpi.get("is_cumulative", false) }} as is_cumulative,
        k.product_id,
        k.scope_kind,
        k.scope_id,
        k.grain,
        k.period_start,
        k.as_of_date,
        k.period_end,
        k.{{ kpi.kpi_id }}::double as value,
        {{ "k." ~ kpi.numerator ~ "::double" if kpi.get("numerator") else "null::double" }} as numerator,
        {{ "k." ~ kpi.denominator ~ "::double" if kpi.get("denominator") else "null::double" }} as denominator
    from {{ ref(kpi.model) }} as k
    inner join touched as t on k.grain = t.grain and k.period_start = t.period_start
    where t.layer = '{{ "matured" if kpi.kpi_id in maturing else "values" }}' and k.scope_kind in ('{{ kpi.scopes | join("', '") }}')
    {{ "union all" if not loop.last }}
    {%- endfor %}
{% endmacro %}

{#- The reason that goes with a KPI's window. -#}
{% macro because_of_window(window) -%}
    case {{ window }}
        when 'period' then c.because_period
        when 'trailing_7' then c.because_trailing_7
        when 'trailing_28' then c.because_trailing_28
        when 'with_preceding' then c.because_with_preceding
        when 'observed_d1' then c.because_observed_d1
        when 'observed_d7' then c.because_observed_d7
        when 'observed_d30' then c.because_observed_d30
        when 'observed_within_7' then c.because_observed_within_7
    end
{%- endmacro %}

{#- The days a value was made of that landed: cumulative and trailing KPIs keep what is known so far. -#}
{% macro landed_days_behind(window, is_cumulative) -%}
    case
        when {{ is_cumulative }} then c.landed_days_to_date
        when {{ window }} = 'trailing_7' then c.landed_days_7
        when {{ window }} = 'trailing_28' then c.landed_days_28
        else c.landed_days
    end
{%- endmacro %}
