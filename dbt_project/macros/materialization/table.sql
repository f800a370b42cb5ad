{#-
  dbt's own materializations lay a table out beside the old one, rename both and drop one, and ask the
  catalog between these steps; on small data that costs more than the models. DuckDB replaces a table in
  one statement, all of it or nothing.
-#}
{% materialization table, adapter='duckdb' %}
    {%- set relation = relation_to_replace('table') -%}
    {% call statement('main') -%}
        {{ create_or_replace_table(relation, compiled_code) }}
    {%- endcall %}
    {% do adapter.commit() %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {%- set relation = relation_to_replace('view') -%}
    {% call statement('main') -%}
        create or replace view {{ relation }} as (
            {{ compiled_code }}
        )
    {%- endcall %}
    {% do adapter.commit() %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

{#-
  What a build touches is laid out beside the table, and replaces rows of it: which, its strategy says.
  A changed model builds everything again (`--full-refresh`), so the columns are those of the table.
-#}
{% materialization incremental, adapter='duckdb' %}
    {%- set is_kept = is_incremental() -%}
    {%- set relation = relation_to_replace('table') -%}
    {% call statement('main') -%}
        {%- if is_kept -%}
        {%- set touched = this.identifier ~ '__touched' -%}
        {%- set strategy = context['get_incremental_' ~ config.require('incremental_strategy') ~ '_sql'] -%}
        create or replace temporary table {{ touched }} as (
            {{ compiled_code }}
        );

        {{ strategy({'target_relation': relation, 'temp_relation': touched}) }};

        drop table {{ touched }}
        {%- else -%}
        {{ create_or_replace_table(relation, compiled_code) }}
        {%- endif -%}
    {%- endcall %}
    {% do adapter.commit() %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

{#- The model's relation; what stands in its place as something else is dropped. -#}
{% macro relation_to_replace(kind) %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and existing.type != kind -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {{ return(this.incorporate(type=kind)) }}
{% endmacro %}

{% macro create_or_replace_table(relation, compiled_code) -%}
    {%- if config.get('contract').enforced -%}
    {{ get_assert_columns_equivalent(compiled_code) }}
    create or replace table {{ relation }} {{ get_table_columns_and_constraints() }};

    insert into {{ relation }} {{ get_column_names() }} ({{ get_select_subquery(compiled_code) }})
    {%- else -%}
    create or replace table {{ relation }} as (
        {{ compiled_code }}
    )
    {%- endif -%}
{%- endmacro %}

{% macro get_incremental_append_sql(arg_dict) %}
    insert into {{ arg_dict["target_relation"] }} by name
    select * from {{ arg_dict["temp_relation"] }}
{% endmacro %}
