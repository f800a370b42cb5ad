{#- One number to order page views by: the time, and among those of one time a key that is always the same. -#}
{% macro order_in_time(occurred_at, event_key) -%}
    ((epoch_us({{ occurred_at }})::hugeint << 64) | {{ event_key }})
{%- endmacro %}
