{#- A bounce is a visit with one page view. -#}
{% macro is_bounce(page_views) -%} ({{ page_views }} = 1) {%- endmacro %}
