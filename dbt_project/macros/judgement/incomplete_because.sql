{#-
  Why a value is not complete, or NULL: a day of its window did not land (also one before the first
  slice there is, when the scope was there already), the window reaches before the scope began, or
  the period is not over. The first that holds is the one named.
-#}
{% macro incomplete_because(gaps, window_start) -%}
    case
        when {{ gaps }} > 0 then 'absent_days'
        when {{ window_start }} < first_day and is_history_unknown then 'absent_days'
        when {{ window_start }} < first_day then 'before_start'
        when as_of_date < last_day then 'period_open'
    end
{%- endmacro %}
