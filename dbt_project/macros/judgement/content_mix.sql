{#- How published content should be made up: the intended share of each type. -#}
{% macro content_mix() -%}
    select * from (values
    {% for content_type, share in var('content_mix').items() -%}
        ('{{ content_type }}', {{ share }}::double){{ "," if not loop.last }}
    {% endfor -%}
    ) as mix (content_type, intended_share)
{%- endmacro %}
