{#- The rate to the company's currency: 1 for that currency itself, NULL where none is dated. -#}
{% macro rate_of(rates, currency, company_currency) -%}
    case when {{ currency }} = {{ company_currency }} then 1 else {{ rates }}.rate end
{%- endmacro %}
