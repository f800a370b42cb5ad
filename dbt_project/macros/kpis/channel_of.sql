{#-
  The entry channel of each distinct source in CTE `sources`
  (source_key, utm_source, utm_medium, utm_campaign, click_id, referrer_host):
  the channel of the first rule, by position, that matches; else (not set).
-#}
{% macro channel_of() %}
    select
        s.source_key,
        coalesce(arg_min(coalesce(k.channel, r.channel), r.position), '(not set)') as channel
    from sources as s
    left join {{ ref('stg_organisation__channel_codes') }} as k
        on lower(k.code) in (lower(s.utm_campaign), lower(s.utm_source))
    left join {{ ref('stg_organisation__channel_rules') }} as r
        on case r.field
            when 'utm_medium' then regexp_full_match(lower(s.utm_medium), lower(r.pattern))
            when 'utm_source' then regexp_full_match(lower(s.utm_source), lower(r.pattern))
            when 'utm_campaign' then regexp_full_match(lower(s.utm_campaign), lower(r.pattern))
            when 'click_id' then regexp_full_match(lower(s.click_id), lower(r.pattern))
            when 'referrer_host' then regexp_full_match(s.referrer_host, lower(r.pattern))
            when 'code' then k.code is not null
            when 'direct'
                then coalesce(
                    s.utm_source, s.utm_medium, s.utm_campaign, s.click_id, s.referrer_host
                ) is null
        end
    group by s.source_key
{% endmacro %}
