{#- Whether a day is one of the batch a model of `by_batch` takes; everywhere else every day is. -#}
{% macro in_batch(day='local_date') -%}
    {{ day }} between coalesce(getvariable('first_day')::date, date '0001-01-01')
    and coalesce(getvariable('last_day')::date, date '9999-12-31')
{%- endmacro %}

{#- The same of a table that keeps its rows, of which a build takes the touched slices. -#}
{% macro in_touched_batch(feed) -%}
    {{ in_batch() }} and {{ is_touched(feed) }}
{%- endmacro %}
