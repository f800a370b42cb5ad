{#-
  A 64-bit key of texts. `hash` of a text is not enough: DuckDB gives the same to texts that differ in
  several places at once, such as https://shop.example/c/7?gclid=91 and https://shop.example/c/8?gclid=21. Over MD5 it is as good as chance.
-#}
{% macro key_of(texts) -%}
    {%- if texts is string -%}
    hash(md5_number({{ texts }}))
    {%- else -%}
    hash(md5_number(concat_ws(chr(31){% for text in texts %}, coalesce({{ text }}, chr(30)){% endfor %})))
    {%- endif -%}
{%- endmacro %}

{#- The key of a visit's source under the owned prefixes that hold a page. -#}
{% macro cell_key_of(source_cell_key, prefixes) -%}
    hash({{ source_cell_key }}, md5_number({{ prefixes }}))
{%- endmacro %}
