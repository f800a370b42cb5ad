{{ config(materialized='view') }}

with

profiles as (
    select * from {{ ref('int_user_profiles') }}
)

select
    source_product_id,
    identity_space,
    user_id,
    person_key,
    member_key,
    cell_key,
    channel,
    campaign,
    is_invited,
    is_activated_at_once,
    is_in_several,
    signed_up_on as local_date,
    signed_up_at
from profiles
where signed_up_on is not null
