{#- The rows of one report, for the periods a build touches. -#}
{% macro report_rows(report) %}
with

report_rows as (
    select * from {{ ref('int_report_rows') }}
),

touched as (
    select * from {{ ref('int_periods_touched') }} where layer = 'status'
)

select r.* exclude (report)
from report_rows as r
inner join touched as t on r.grain = t.grain and r.period_start = t.period_start
where r.report = '{{ report }}'
{% endmacro %}
