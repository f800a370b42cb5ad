{#- Both tables hold as many rows. -#}
{% test same_rows_as(model, other) %}
    select
        (select count(*) from {{ model }}) as rows_here,
        (select count(*) from {{ other }}) as rows_there
    where rows_here <> rows_there
{% endtest %}
