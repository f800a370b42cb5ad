{#-
  How many rows have each bit of a HUGEINT set, in one pass: bits 0, 32, 64 and 96 are four counters of 32
  bits each in one number, and 32 sums, each of the bits shifted by one more, hold all of them.
-#}
{% macro lane_sums(bits) -%}
    [
        {%- for shift in range(32) %}
        sum(({{ bits }} >> {{ shift }}) & 79228162532711081671548469249){{ "," if not loop.last }}
        {%- endfor %}
    ]
{%- endmacro %}

{#- The count of one bit, by its position from 0. -#}
{% macro lane_count(sums, position) -%}
    ((list_extract({{ sums }}, {{ position }} % 32 + 1) >> (32 * ({{ position }} // 32))::integer) & 4294967295)
{%- endmacro %}
