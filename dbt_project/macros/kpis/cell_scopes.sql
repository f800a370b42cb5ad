{#-
  Which scopes a cell counts in. A cell is (product_id, local_date, channel, campaign[, path]);
  a person's scope is the union of what they own on that day, each cell once; a team's is its members'.
  Reads CTE `cells`, gives the cell's columns and scope_kind, scope_product_id, scope_id.
-#}
{% macro cell_scopes(has_path=false) %}
    {%- set cell = "c.product_id, c.local_date, c.channel, c.campaign" ~ (", c.path" if has_path else "") -%}
    select {{ cell }}, 'company' as scope_kind, '(all)' as scope_product_id, '(all)' as scope_id
    from cells as c
    union all
    select {{ cell }}, 'product', c.product_id, c.product_id
    from cells as c
    union all
    select {{ cell }}, 'channel', c.product_id, c.channel
    from cells as c
    union all
    select {{ cell }}, 'channel', '(all)', c.channel
    from cells as c
    union all
    select distinct {{ cell }}, m.scope_kind, '(all)', m.scope_id
    from cells as c
    inner join {{ ref('int_memberships') }} as m
        on
            c.product_id = m.product_id
            and m.valid_from <= c.local_date
            and c.local_date < m.valid_to
            and case m.what
                when 'product' then true
                when 'channel' then m.which = c.channel
                when 'campaign' then m.which = c.campaign
                when 'page_prefix' then {{ holds_path('m.which', 'c.path') if has_path else 'false' }}
            end
{% endmacro %}
