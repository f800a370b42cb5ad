{#- The path of a URL: no scheme, host, query or fragment; percent-decoded; case kept; no trailing slash. -#}
{% macro page_path(url) -%}
    {%- set path -%}
    regexp_extract(regexp_replace({{ url }}, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*', ''), '^[^?#]*')
    {%- endset -%}
    coalesce(nullif(rtrim({{ percent_decoded(path) }}, '/'), ''), '/')
{%- endmacro %}
