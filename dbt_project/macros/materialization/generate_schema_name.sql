{#- A layer is a schema of its own: staging, intermediate, marts, kpis, reports. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
