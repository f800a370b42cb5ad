{%- set kpis = kpi_columns() -%}

{% for kpi in kpis %}
select
    '{{ kpi.kpi_id }}' as kpi_id,
    '{{ kpi.family }}' as family,
    '{{ kpi.model }}' as model,
    '{{ kpi.label.en | replace("'", "''") }}' as label_en,
    '{{ kpi.label.es | replace("'", "''") }}' as label_es,
    '{{ kpi.label.zh | replace("'", "''") }}' as label_zh,
    '{{ kpi.description | replace("'", "''") | replace("\n", " ") | trim }}' as description,
    '{{ kpi.unit }}' as unit,
    '{{ kpi.direction }}' as direction,
    {{ "'" ~ kpi.numerator ~ "'" if kpi.get('numerator') else 'null::varchar' }} as numerator,
    {{ "'" ~ kpi.denominator ~ "'" if kpi.get('denominator') else 'null::varchar' }} as denominator,
    ['{{ kpi.feeds | join("', '") }}'] as feeds,
    ['{{ kpi.scopes | join("', '") }}'] as scopes,
    ['{{ kpi.altitudes | join("', '") }}'] as altitudes,
    ['{{ kpi.get('report_grains', ['day', 'week', 'month', 'quarter']) | join("', '") }}'] as report_grains,
    {{ "'" ~ kpi.stages.brand ~ "'" if kpi.get('stages', {}).get('brand') else 'null::varchar' }} as brand_role,
    {{ "'" ~ kpi.stages.growth ~ "'" if kpi.get('stages', {}).get('growth') else 'null::varchar' }} as growth_role,
    '{{ kpi.window }}' as "window",
    {{ kpi.smallest_base }}::double as smallest_base,
    {{ kpi.tolerance }}::double as tolerance,
    '{{ kpi.owner }}' as owner,
    {{ kpi.is_additive }} as is_additive,
    {{ kpi.get('is_cumulative', false) }} as is_cumulative,
    {{ kpi.lowest if kpi.lowest is not none else 'null' }}::double as lowest,
    {{ kpi.highest if kpi.highest is not none else 'null' }}::double as highest,
    {{ kpi.sort }}::integer as sort
{{ "union all" if not loop.last }}
{% endfor %}
