{#-
  Which scopes a cell counts in. A cell is (product_id, local_date and `columns`); a person's scope is
  the union of what they own on that day, each cell once; a team's is its members'. Campaigns and
  devices are scopes where `sparse` names them.
  Reads CTE `cells`, gives the cell's columns and scope_kind, scope_product_id, scope_id.
-#}
{% macro cell_scopes(columns=['channel', 'campaign'], sparse=[]) %}
    {%- set cell = "c.product_id, c.local_date, c." ~ columns | join(", c.") -%}
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
    {% for scope in sparse -%}
    union all
    select {{ cell }}, '{{ scope }}', c.product_id, c.{{ scope }}
    from cells as c
    {% endfor -%}
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
                when 'page_prefix' then {{ "list_contains(string_split(c.prefixes, chr(31)), m.which)" if 'prefixes' in columns else 'false' }}
            end
{% endmacro %}
