{#- The start of the week that holds a quarter's first day, from the start of any later week. -#}
{% macro first_week_of(quarter_start, week_start) -%}
    ({{ week_start }} - 7 * ceil(({{ week_start }} - {{ quarter_start }}) / 7)::integer)::date
{%- endmacro %}
