{#- Whether a row is of a slice this build takes; of all slices in a full build. -#}
{% macro is_in_touched_slices(feed) -%}
    {%- if is_incremental() -%}
    {{ is_touched(feed) }}
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{#- The same, whatever kind of build it is. -#}
{% macro is_touched(feed) -%}
    (source_product_id, local_date) in (
        select (t.product_id, t.day) from {{ source('landing', 'touched_slices') }} as t where t.feed = '{{ feed }}'
    )
{%- endmacro %}
