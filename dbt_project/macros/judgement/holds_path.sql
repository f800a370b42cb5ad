{#- A prefix matches on whole segments: /spring holds /spring and /spring/a, not /springfield. -#}
{% macro holds_path(prefix, path) -%}
    ({{ path }} = rtrim({{ prefix }}, '/') or starts_with({{ path }}, rtrim({{ prefix }}, '/') || '/'))
{%- endmacro %}
