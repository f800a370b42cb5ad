{#- A percent-encoded text decoded; as it is where what it holds is not UTF-8. -#}
{% macro percent_decoded(text) -%}
    coalesce(try(url_decode({{ text }})), {{ text }})
{%- endmacro %}
