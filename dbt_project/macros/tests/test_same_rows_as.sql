{#- Both tables hold as many rows; of the other one those for which `where_there` holds. -#}
{% test same_rows_as(model, other, where_there='true') %}
    select
        (select count(*) from {{ model }}) as rows_here,
        (select count(*) from {{ other }} where {{ where_there }}) as rows_there
    where rows_here <> rows_there
{% endtest %}
