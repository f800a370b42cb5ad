{#-
  No two rows share these columns, and none of them is NULL. Of tables that grow, only what a build
  wrote is looked at: rows of the slices it took, or of the periods it redid.
-#}
{% test grain(model, columns) %}
    select
        {{ columns | join(", ") }},
        count(*) as row_count
    from {{ model }}
    {% if 'source_product_id' in columns and 'local_date' in columns -%}
    where (source_product_id, local_date) in (
        select (t.product_id, t.day) from {{ source('landing', 'touched_slices') }} as t
    )
    {%- elif 'grain' in columns and 'period_start' in columns and model.schema == 'kpis' -%}
    where (grain, period_start) in (
        select (t.grain, t.period_start) from intermediate.int_periods_touched as t
    )
    {%- endif %}
    group by all
    having count(*) > 1 or {% for column in columns %}{{ column }} is null{{ " or " if not loop.last }}{% endfor %}
{% endtest %}
