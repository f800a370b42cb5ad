{{ config(materialized='incremental', incremental_strategy='append') }}

with

urls as (
    select distinct path_key, path from {{ ref('stg_landing__urls') }}
)

-- every path there was, and which of the owned prefixes hold it
select u.path_key, u.path
from urls as u
{% if is_incremental() -%}
anti join {{ this }} as k on u.path_key = k.path_key
{%- endif %}
