{#-
  How somebody with active days (days_now of a quarter, days_earlier of the one before it) stands to a
  window: active in it, active in the one before, and in months and quarters from which day on.
-#}
{% macro activity_class(person, w) -%}
    ({{ person }}.days_now & {{ w }}.days_now) <> 0
    or ({{ person }}.days_earlier & {{ w }}.days_earlier) <> 0 as is_active,
    ({{ person }}.days_now & {{ w }}.preceding_now) <> 0
    or ({{ person }}.days_earlier & {{ w }}.preceding_earlier) <> 0 as was_active,
    case
        when {{ w }}.is_curve
            then (
                {{ first_bit('(' ~ person ~ '.days_now & ' ~ w ~ '.days_now)') }}
                - ({{ w }}.period_start - {{ w }}.quarter_start)
            )::integer
    end as days_after_start
{%- endmacro %}

{% macro is_in_window_or_before(person, w) -%}
    (
        ({{ person }}.days_now & ({{ w }}.days_now | {{ w }}.preceding_now)) <> 0
        or ({{ person }}.days_earlier & ({{ w }}.days_earlier | {{ w }}.preceding_earlier)) <> 0
    )
{%- endmacro %}
