{#-
  A state with one row per key: the model selects the keys that a build may have moved, each as it is
  now; they are replaced. A key that is no more has a row for which `kept` does not hold.
-#}
{% macro get_incremental_replace_keys_sql(arg_dict) %}
    {%- set meta = config.require("meta") -%}
    delete from {{ arg_dict["target_relation"] }} as t
    using {{ arg_dict["temp_relation"] }} as n
    where {% for key in meta["keys"] %}t.{{ key }} = n.{{ key }}{{ " and " if not loop.last }}{% endfor %};

    insert into {{ arg_dict["target_relation"] }} by name
    select * from {{ arg_dict["temp_relation"] }}
    where {{ meta["kept"] }}
{% endmacro %}
