{#- The decoded value of a query parameter, or NULL when it is absent or empty. -#}
{% macro url_parameter(url, name) -%}
    {%- set value -%}
    replace(regexp_extract({{ url }}, '[?&]{{ name }}=([^&#]*)', 1), '+', ' ')
    {%- endset -%}
    nullif({{ percent_decoded(value) }}, '')
{%- endmacro %}
