{#-
  First days are a minimum kept per entity. Only entities that can have moved are looked up again:
  those seen on a touched day, and those whose kept first day is a touched day.
-#}
{% macro get_incremental_first_days_sql(arg_dict) %}
    {%- set target = arg_dict["target_relation"] -%}
    delete from {{ target }} as t
    where
        t.first_day in (
            select s.day from landing.touched_slices as s
            where s.feed in ('{{ config.require("meta")["feeds"] | join("', '") }}')
        )
        or (t.product_id, t.entity) in (select (n.product_id, n.entity) from {{ arg_dict["temp_relation"] }} as n);

    insert into {{ target }} by name
    select * from {{ arg_dict["temp_relation"] }}
{% endmacro %}

{#- Reads CTE `entity_days` (product_id, entity, local_date), all of history. -#}
{% macro first_days_of_entities(feeds) %}
    {%- if is_incremental() %}
    touched_days as (
        select distinct day from {{ source('landing', 'touched_slices') }}
        where feed in ('{{ feeds | join("', '") }}')
    ),

    moved as (
        select product_id, entity from entity_days where local_date in (select t.day from touched_days as t)
        union
        select product_id, entity from {{ this }} where first_day in (select t.day from touched_days as t)
    )

    select d.product_id, d.entity, min(d.local_date) as first_day
    from entity_days as d
    inner join moved as m on d.product_id = m.product_id and d.entity = m.entity
    group by all
    {%- else %}
    everyone as (
        select product_id, entity, min(local_date) as first_day
        from entity_days
        group by all
    )

    select * from everyone
    {%- endif %}
{% endmacro %}
