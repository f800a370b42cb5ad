{#- Share of Student's t with `df` degrees of freedom, 1 to 11, that lies below t (Abramowitz and Stegun 26.7.3, 26.7.4). -#}
{% macro share_below_t(t, df) -%}
case {{ df }}
    {%- for n in range(1, 12) %}
    {%- set terms = [] %}
    {%- set factor = namespace(value=1.0) %}
    {%- for power in range(n % 2, n - 1, 2) %}
        {%- if power > 1 %}{% set factor.value = factor.value * (power - 1) / power %}{% endif %}
        {%- do terms.append(factor.value ~ " * cos(atan(" ~ t ~ " / sqrt(" ~ n ~ "))) ** " ~ power) %}
    {%- endfor %}
    when {{ n }} then
    {%- if n % 2 == 0 %}
        0.5 + 0.5 * sin(atan({{ t }} / sqrt({{ n }}))) * ({{ terms | join(' + ') }})
    {%- else %}
        0.5 + (atan({{ t }} / sqrt({{ n }})) + sin(atan({{ t }} / sqrt({{ n }}))) * ({{ terms | join(' + ') or '0' }})) / pi()
    {%- endif %}
    {%- endfor %}
end
{%- endmacro %}

{#- The t below which nine tenths lie, so that eight tenths lie between it and its negative. -#}
{% macro t_of_eighty_percent(df) -%}
[3.077684, 1.885618, 1.637744, 1.533206, 1.475884, 1.439756, 1.414924, 1.396815, 1.383029, 1.372184, 1.363430][{{ df }}]
{%- endmacro %}

{#-
  The day of another period that lies as far into it as `as_of` into its own: months and quarters
  differ in length. The first day lies on a first day, the last but one on a last but one.
-#}
{% macro same_point(as_of, start, end, other_start, other_end) -%}
    {{ other_start }} - 1 + greatest(1, least({{ other_end }} - {{ other_start }} - 1, round(
        ({{ as_of }} - {{ start }} + 1)::double * ({{ other_end }} - {{ other_start }}) / ({{ end }} - {{ start }})
    )))::integer
{%- endmacro %}
