{#- The path of a URL: no scheme, host, query or fragment; percent-decoded; case kept; no trailing slash. -#}
{% macro page_path(url) -%}
    coalesce(
        nullif(
            rtrim(
                url_decode(
                    regexp_extract(
                        regexp_replace({{ url }}, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*', ''), '^[^?#]*'
                    )
                ),
                '/'
            ),
            ''
        ),
        '/'
    )
{%- endmacro %}
