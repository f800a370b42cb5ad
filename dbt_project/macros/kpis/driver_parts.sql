{#- What is known of every member of every dimension: the columns of int_members_summed. -#}
{% macro member_measures() %}
    {{ return([
        'impressions', 'clicks', 'cost', 'impressions_with_cost', 'clicks_with_cost',
        'page_views', 'visits', 'bounces', 'duration_seconds', 'reported_visits', 'reported_page_views',
        'sign_ups', 'orders', 'revenue', 'points_issued', 'points_redeemed', 'points_cost'
    ]) }}
{% endmacro %}

{#- The KPIs whose two sides are among these, each with both; `measures` names them as in dim_kpis. -#}
{% macro kpis_of_members() %}
    {%- set found = [] -%}
    {%- for kpi in kpi_columns() -%}
        {%- set numerator = kpi.kpi_id if kpi.is_additive else kpi.get('numerator') -%}
        {%- set denominator = none if kpi.is_additive else kpi.get('denominator') -%}
        {%- if numerator in member_measures()
            and (kpi.is_additive or denominator in member_measures()) -%}
            {%- do found.append({'kpi_id': kpi.kpi_id, 'numerator': numerator, 'denominator': denominator}) -%}
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
