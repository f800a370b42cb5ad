{#-
  Whether a page view is the first after a pause that ends a visit. The window orders one
  visitor's page views of one product and local day, so midnight ends a visit by itself.
-#}
{% macro starts_after_pause(occurred_at, previous_at) -%}
    (
        {{ previous_at }} is null
        or {{ occurred_at }} - {{ previous_at }} > interval '{{ var("visit_gap_minutes") }} minutes'
    )
{%- endmacro %}

{#- Whether a page view brings a campaign other than the visit's own. Without one it never ends a visit. -#}
{% macro starts_by_campaign(campaign_triple, previous_triple) -%}
    ({{ campaign_triple }} is not null and {{ campaign_triple }} is distinct from {{ previous_triple }})
{%- endmacro %}

{#- Whether a pause that ends a visit can lie between these two times. -#}
{% macro may_hold_pause(started_at, ended_at) -%}
    {{ ended_at }} - {{ started_at }} > interval '{{ var("visit_gap_minutes") }} minutes'
{%- endmacro %}
