{{ config(materialized='incremental', incremental_strategy='append') }}

with

sources as (
    select
        source_cell_key,
        any_value(source_product_id) as source_product_id,
        any_value(channel) as channel,
        any_value(campaign) as campaign,
        any_value(device) as device
    from {{ ref('int_visits') }}
    where {{ is_in_touched_slices('page_views') }}
    group by source_cell_key
)

-- every product, entry channel, campaign and device there ever was together
select s.*
from sources as s
{% if is_incremental() -%}
anti join {{ this }} as k on s.source_cell_key = k.source_cell_key
{%- endif %}
