{#- The label of a user who uses the product: how they stand by their active days of the last 28. -#}
{% macro activity_label(days_since_first_seen, active_days, is_inviter) -%}
    case
        when {{ days_since_first_seen }} < 0 then '(none)'
        when {{ days_since_first_seen }} < {{ var('lifecycle_new_days') }} then 'new'
        when {{ active_days }} = 0 then 'dormant'
        when {{ active_days }} < {{ var('lifecycle_core_days') }} then 'active'
        when {{ is_inviter }} then 'key_opinion_leader'
        else 'core'
    end
{%- endmacro %}

{#- The label of a user who buys, or may: by how many orders they placed and how long ago the last was. -#}
{% macro buyer_label(orders, days_since_order) -%}
    case
        when coalesce({{ orders }}, 0) = 0 then 'prospect'
        when {{ days_since_order }} >= {{ var('lifecycle_lost_days') }} then 'lost'
        when {{ days_since_order }} >= {{ var('lifecycle_lapsing_days') }} then 'lapsing'
        when {{ orders }} = 1 then 'first_buyer'
        else 'repeat_buyer'
    end
{%- endmacro %}

{#- The tier of a user by how many brought in more, among all who brought in something; equals share one. -#}
{% macro value_tier(users_above, users) -%}
    case
        when {{ users_above }} < 0.01 * {{ users }} then 'top'
        when {{ users_above }} < 0.10 * {{ users }} then 'high'
        when {{ users_above }} < 0.50 * {{ users }} then 'middle'
        else 'rest'
    end
{%- endmacro %}

{#- Users with a tier on each day, from rows of population, user_key, day and order_value. -#}
{% macro tiers_of(user_values) -%}
    select
        v.population,
        v.user_key,
        v.day,
        {{ value_tier(
            '(rank() over (partition by v.population, v.day order by v.order_value desc) - 1)',
            'count(*) over (partition by v.population, v.day)'
        ) }} as tier
    from {{ user_values }} as v
{%- endmacro %}
