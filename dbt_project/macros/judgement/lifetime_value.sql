{#-
  What a user brings in all the months they stay: the profit of a month, as many times as users stay
  months at this churn, but no longer than can be foreseen; NULL where too few users tell the churn.
-#}
{% macro lifetime_value(monthly_profit, churned_users, users_before, smallest_base) -%}
    case
        when {{ users_before }} >= {{ smallest_base }}
            then {{ monthly_profit }} * least(
                coalesce({{ ratio(users_before, churned_users) }}, {{ var('ltv_months_max') }}), {{ var('ltv_months_max') }}
            )
    end
{%- endmacro %}

{#- Months until a user has brought in what they cost; never, if they bring nothing in. -#}
{% macro payback_months(cac, monthly_profit) -%}
    case when {{ monthly_profit }} > 0 then {{ cac }} / {{ monthly_profit }} end
{%- endmacro %}
