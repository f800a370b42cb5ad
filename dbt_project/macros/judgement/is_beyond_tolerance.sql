{#- Two counts of the same differ by more than a share of our own; where we counted nothing, at all. -#}
{% macro is_beyond_tolerance(own, reported, tolerance, smallest_base) -%}
    (greatest({{ own }}, {{ reported }}) >= {{ smallest_base }} and abs({{ reported }} - {{ own }}) > {{ tolerance }} * {{ own }})
{%- endmacro %}
