{#- Every KPI column of the kpis/ models with what stands beside it: the one list all else is made of. -#}
{% macro kpi_columns(family=none) %}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values()
            | selectattr('resource_type', 'equalto', 'model')
            | selectattr('name', 'in', kpi_models())
            | sort(attribute='name') -%}
            {%- for column in node.columns.values() if column.config.meta.get('kpi') -%}
                {%- set kpi = column.config.meta['kpi'] -%}
                {%- if family is none or node.config.meta['family'] == family -%}
                    {%- set bounds = kpi.get('bounds', [0, 1 if kpi.unit == 'share' else none]) -%}
                    {%- do found.append(dict(
                        kpi,
                        lowest=bounds[0],
                        highest=bounds[1],
                        kpi_id=column.name,
                        model=node.name,
                        family=node.config.meta['family'],
                        description=column.description,
                        feed_set=kpi['feeds'] | sort | join('+')
                    )) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{% endmacro %}

{#- The models of the kpis folder that hold one column per KPI. -#}
{% macro kpi_models() %}
    {{ return(['kpi_exposure', 'kpi_visits', 'kpi_users', 'kpi_retention', 'kpi_revenue', 'kpi_economics', 'kpi_lifecycle', 'kpi_content']) }}
{% endmacro %}

{#- KPIs whose value comes after their period: users are observed up to 30 days after it. -#}
{% macro maturing_kpis() %}
    {%- set found = [] -%}
    {%- for kpi in kpi_columns() if kpi.window.startswith('observed') -%}
        {%- do found.append(kpi.kpi_id) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{#- What stands beside a KPI as its smallest base. -#}
{% macro smallest_base_of(kpi_id) %}
    {%- set found = kpi_columns() | selectattr('kpi_id', 'equalto', kpi_id) | first -%}
    {{ return(found.smallest_base if found else 0) }}
{% endmacro %}
