{#- How many weeks or months lie from one period's first day to another's. -#}
{% macro periods_between(grain, first_start, last_start) -%}
    case {{ grain }}
        when 'week' then ({{ last_start }} - {{ first_start }}) // 7
        else date_diff('month', {{ first_start }}, {{ last_start }})
    end::integer
{%- endmacro %}

{#- The first day of the period that lies so many weeks or months after another's. -#}
{% macro periods_after(grain, first_start, periods) -%}
    case {{ grain }}
        when 'week' then {{ first_start }} + 7 * {{ periods }}
        else ({{ first_start }} + to_months({{ periods }}))::date
    end
{%- endmacro %}
