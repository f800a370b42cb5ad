{#- The name of the advertising click id a URL carries, or NULL. -#}
{% macro click_id(url) -%}
    nullif(
        regexp_extract(
            {{ url }},
            '[?&](gclid|gbraid|wbraid|dclid|fbclid|msclkid|ttclid|twclid|li_fat_id|igshid|yclid|bd_vid|qhclickid|qz_gdt|gdt_vid|epik|rdt_cid|ScCid)=',
            1
        ),
        ''
    )
{%- endmacro %}
