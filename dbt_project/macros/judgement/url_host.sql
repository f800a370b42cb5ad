{#- The host of a URL in lower case without a leading www., or NULL. -#}
{% macro url_host(url) -%}
    nullif(regexp_extract(lower({{ url }}), '^[a-z][a-z0-9+.-]*://(?:www\.)?([^/:?#]+)', 1), '')
{%- endmacro %}
