{#-
  Users by number: 64 bits of a hash, the same in every version and build. Text keys cost twice the time.
  A member is a user of one product; a person is a user of an identity space.
-#}
{% macro user_key(place, user_id) -%}
    md5_number_lower({{ place }} || chr(31) || {{ user_id }})
{%- endmacro %}

{#- A cell is a product with a channel and a campaign of sign-up; every member is in one. -#}
{% macro user_cell_key(product_id, channel, campaign) -%}
    md5_number_lower({{ product_id }} || chr(31) || {{ channel }} || chr(31) || {{ campaign }})
{%- endmacro %}

{#- Days of a quarter as bits, the first day the lowest; a quarter has at most 92. -#}
{% macro day_bit(day, quarter_start) -%}
    (1::hugeint << ({{ day }} - {{ quarter_start }}))
{%- endmacro %}

{#- How many days after the quarter's first the lowest bit stands. -#}
{% macro first_bit(days) -%}
    bit_count(({{ days }} & -({{ days }})) - 1)
{%- endmacro %}

{#- A quarter's days as bits of a later or earlier first day, those before it left out. -#}
{% macro days_since(days, quarter_start, first_day) -%}
    case
        when {{ quarter_start }} >= {{ first_day }} then {{ days }} << ({{ quarter_start }} - {{ first_day }})
        else {{ days }} >> ({{ first_day }} - {{ quarter_start }})
    end
{%- endmacro %}

{#- Whether any of these days is among the days given as bits. -#}
{% macro has_days(days, wanted) -%}
    coalesce(({{ days }} & {{ wanted }}) <> 0, false)
{%- endmacro %}
