{#-
  What a build touches. An incremental model says its `reach`:
    slice   rows of the changed slices of its `feeds` are replaced (columns source_product_id, local_date)
    onward  rows of every period that ends after the first changed day are replaced
            (columns grain, period_start)
    status  as `onward`, but also from the first day whose targets or stages changed
    matured  as `onward`, but from as many days earlier as a value may be observed after its period
    cohorts  rows that look at a period `onward` would replace (columns cohort_grain, cohort_start, offset)
    matured_days  days from there on (column local_date)
  The model selects the same rows it deletes, through the relations named here.
-#}
{% macro get_incremental_redo_sql(arg_dict) %}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set reach = config.require("meta")["reach"] -%}
    delete from {{ target }} as t
    where
    {%- if reach == "slice" %}
        (t.source_product_id, t.local_date) in (
            select (s.product_id, s.day)
            from landing.touched_slices as s
            where s.feed in ('{{ config.require("meta")["feeds"] | join("', '") }}')
        )
    {%- elif reach in ("onward", "status", "matured") %}
        (t.grain, t.period_start) in (
            select (p.grain, p.period_start)
            from intermediate.int_periods_touched as p
            where p.layer = '{{ "values" if reach == "onward" else reach }}'
        )
        {%- if config.require("meta").get("has_maturing_kpis") %}
        or (
            t.kpi_id in ('{{ maturing_kpis() | join("', '") }}')
            and (t.grain, t.period_start) in (
                select (p.grain, p.period_start)
                from intermediate.int_periods_touched as p
                where p.layer = 'matured'
            )
        )
        {%- endif %}
    {%- elif reach == "cohorts" %}
        (t.cohort_grain, {{ periods_after('t.cohort_grain', 't.cohort_start', 't."offset"') }}) in (
            select (p.grain, p.period_start)
            from intermediate.int_periods_touched as p
            where p.layer = 'values'
        )
    {%- elif reach == "matured_days" %}
        t.local_date in (
            select p.period_start
            from intermediate.int_periods_touched as p
            where p.layer = 'matured' and p.grain = 'day'
        )
    {%- else %}
        {{ exceptions.raise_compiler_error("unknown reach " ~ reach ~ " of " ~ target) }}
    {%- endif %};

    insert into {{ target }} by name
    select * from {{ arg_dict["temp_relation"] }}
{% endmacro %}
