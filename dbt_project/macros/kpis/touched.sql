{#- Whether a row is of a slice this build takes; of all slices in a full build. -#}
{% macro is_in_touched_slices(feed) -%}
    {%- if is_incremental() -%}
    (source_product_id, local_date) in (
        select (t.product_id, t.day) from {{ source('landing', 'touched_slices') }} as t where t.feed = '{{ feed }}'
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
