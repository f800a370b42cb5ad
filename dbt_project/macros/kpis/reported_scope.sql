{#-
  Whose figure a source gives: the company's, a team's or a person's are of all products, the others of
  the product whose source it is. Reads source_product_id, scope_kind and scope_id.
-#}
{% macro reported_scope() -%}
    case when scope_kind in ('company', 'team', 'person') then '(all)' else source_product_id end as product_id,
    case scope_kind when 'company' then '(all)' when 'product' then source_product_id else scope_id end as scope_id
{%- endmacro %}

{#- A figure that sources of several products give of one scope, if they agree. -#}
{% macro agreed(figure) -%}
    (case when min({{ figure }}) = max({{ figure }}) then max({{ figure }}) end)::bigint
{%- endmacro %}
