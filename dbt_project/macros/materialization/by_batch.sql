{#-
  A table that is filled batch by batch of days, so that what one statement holds fits in memory however
  many days a build takes: many small groupings and windows cost less than one over everything. Its SQL
  takes the days of one batch by `in_batch`.
  meta:
    feeds     of a model that keeps its rows: the touched slices of these feeds are replaced
    is_working  the table is laid out anew for each build and holds only what that build touches
-#}
{% materialization by_batch, adapter="duckdb" %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type="table") -%}
    {%- if is_made_anew(existing) %}
    {%- if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif %}
    {% call statement("main") -%}
        create table {{ target }} as select * from (
            {{ compiled_code }}
        ) where false
    {%- endcall %}
    {#- DuckDB 2.0.0 finds no row by a filter when a table is made empty and filled in one transaction -#}
    {% do adapter.commit() %}
    {%- else %}
    {% call statement("main") -%}
        delete from {{ target }} as t
        where (t.source_product_id, t.local_date) in (
            select (s.product_id, s.day)
            from landing.touched_slices as s
            where s.feed in ('{{ config.require("meta")["feeds"] | join("', '") }}')
        )
    {%- endcall %}
    {%- endif %}
    {%- for first_day, last_day in batches() %}
    {% call statement("batch") -%}
        set variable first_day = date '{{ first_day }}';
        set variable last_day = date '{{ last_day }}';
        insert into {{ target }} by name
        {{ compiled_code }}
    {%- endcall %}
    {% do adapter.commit() %}
    {%- endfor %}
    {% call statement("all_days") -%}
        reset variable first_day;
        reset variable last_day
    {%- endcall %}
    {% do adapter.commit() %}
    {{ return({"relations": [target]}) }}
{% endmaterialization %}

{#- First and last day of each batch; none when a model is only laid out. -#}
{% macro batches() %}
    {%- if flags.EMPTY -%}
    {{ return([]) }}
    {%- endif -%}
    {{ return(run_query("select first_day, last_day from landing.batches order by first_day").rows) }}
{% endmacro %}

{#- Whether a table filled by batches begins without rows. -#}
{% macro is_made_anew(existing) %}
    {{ return(existing is none or existing.is_view or should_full_refresh() or config.get("meta").get("is_working", false)) }}
{% endmacro %}
