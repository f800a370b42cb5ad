{#-
  First days are a minimum kept per visitor. The model gives the rows that moved, NULL for whoever is
  seen nowhere any more.
-#}
{% macro get_incremental_kept_first_days_sql(arg_dict) %}
    delete from {{ arg_dict["target_relation"] }} as t
    where (t.product_id, t.visitor_key) in (
        select (n.product_id, n.visitor_key) from {{ arg_dict["temp_relation"] }} as n
    );

    insert into {{ arg_dict["target_relation"] }} by name
    select * from {{ arg_dict["temp_relation"] }} where first_day is not null
{% endmacro %}
