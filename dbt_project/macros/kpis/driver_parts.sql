{#- What is known of every member of every dimension: the columns of int_members_summed. -#}
{% macro member_measures() %}
    {{ return([
        'impressions', 'clicks', 'cost', 'impressions_with_cost', 'clicks_with_cost',
        'page_views', 'visits', 'bounces', 'duration_seconds', 'reported_visits', 'reported_page_views',
        'sign_ups', 'orders', 'revenue', 'points_issued', 'points_redeemed', 'points_cost'
    ]) }}
{% endmacro %}

{#- Those of them that are known by device. -#}
{% macro device_measures() %}
    {{ return([
        'page_views', 'visits', 'bounces', 'duration_seconds', 'reported_visits', 'reported_page_views'
    ]) }}
{% endmacro %}

{#-
  The KPIs both sides of which are among these. A measure `x_beside_y` is x over the days on which y
  landed too, which is x in a period that lacks no day; of such a KPI the scopes within say it exactly
  where there are such scopes (is_beside).
-#}
{% macro kpis_of_members() %}
    {%- set found = [] -%}
    {%- for kpi in kpi_columns() -%}
        {%- set of_numerator = kpi.kpi_id if kpi.is_additive else kpi.get('numerator') or '' -%}
        {%- set of_denominator = '' if kpi.is_additive else kpi.get('denominator') or '' -%}
        {%- set numerator = of_numerator.split('_beside_') | first -%}
        {%- set denominator = of_denominator.split('_beside_') | first -%}
        {%- if numerator in member_measures()
            and (kpi.is_additive or denominator in member_measures()) -%}
            {%- do found.append({
                'kpi_id': kpi.kpi_id,
                'numerator': numerator,
                'denominator': denominator,
                'has_device': numerator in device_measures() and (kpi.is_additive or denominator in device_measures()),
                'is_beside': '_beside_' in of_numerator or '_beside_' in of_denominator,
                'has_scopes_within': ['channel'] if kpi.unit == 'money' else ['channel', 'product'],
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{#- KPIs that are a product of factors, channel by channel: each factor with its numerator and denominator. -#}
{% macro driver_chains() %}
    {{ return({
        'sign_ups': [
            ('impressions', 'impressions', none),
            ('ctr', 'clicks', 'impressions'),
            ('visits_per_click', 'visits', 'clicks'),
            ('visit_to_sign_up_rate', 'sign_ups', 'visits'),
        ]
    }) }}
{% endmacro %}
