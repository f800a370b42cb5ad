{#- Scopes that have a row for every period, and status. The others have values only, where there is something. -#}
{% macro dense_scopes() %}
    {{ return(['company', 'product', 'channel', 'team', 'person']) }}
{% endmacro %}

{% macro is_dense(scope_kind) -%}
    {{ scope_kind }} in ('{{ dense_scopes() | join("', '") }}')
{%- endmacro %}

{#- Whether a row of completeness is that of a scope: of a campaign, page or device its product's. -#}
{% macro is_completeness_of(completeness, scope) -%}
    case when {{ is_dense(scope ~ '.scope_kind') }} then {{ scope }}.scope_kind else 'product' end = {{ completeness }}.scope_kind
    and {{ scope }}.product_id = {{ completeness }}.product_id
    and case when {{ is_dense(scope ~ '.scope_kind') }} then {{ scope }}.scope_id else {{ scope }}.product_id end
    = {{ completeness }}.scope_id
{%- endmacro %}
