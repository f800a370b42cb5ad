{#- The decoded value of a query parameter, or NULL when it is absent or empty. -#}
{% macro url_parameter(url, name) -%}
    nullif(url_decode(replace(regexp_extract({{ url }}, '[?&]{{ name }}=([^&#]*)', 1), '+', ' ')), '')
{%- endmacro %}
