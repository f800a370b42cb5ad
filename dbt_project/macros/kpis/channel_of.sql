{#-
  The entry channel of each distinct source in CTE `sources`
  (source_key, utm_source, utm_medium, utm_campaign, click_id, referrer_host):
  the channel of the first rule, by position, that matches; else (not set). A code's channel is its own.
  Every text is matched once, however many sources have it.
-#}
{% macro channel_of() %}
    with

    -- the kind of the longest known host a referrer is in: mail.google.com before google.com
    parents as (
        select
            host,
            array_to_string(labels[position:], '.') as parent,
            position
        from (
            select
                host,
                labels,
                unnest(range(1, len(labels) + 1)) as position
            from (
                select distinct
                    referrer_host as host,
                    string_split(referrer_host, '.') as labels
                from sources
                where referrer_host is not null
            )
        )
    ),

    kinds as (
        select
            p.host,
            arg_min(k.kind, p.position) as kind
        from parents as p
        inner join {{ ref('stg_landing__referrer_hosts') }} as k on p.parent = k.host
        group by p.host
    ),

    codes as (
        select
            lower(code) as code,
            any_value(channel) as channel
        from {{ ref('stg_organisation__channel_codes') }}
        group by all
    ),

    told as (
        {% for field in ['utm_medium', 'utm_source', 'utm_campaign', 'click_id', 'referrer_host'] -%}
        select source_key, '{{ field }}' as field, {{ field }} as told, null as channel
        from sources where {{ field }} is not null
        union all
        {% endfor -%}
        select s.source_key, 'referrer_kind', k.kind, null
        from sources as s inner join kinds as k on s.referrer_host = k.host
        union all
        select s.source_key, 'code', c.code, c.channel
        from sources as s inner join codes as c on c.code in (lower(s.utm_campaign), lower(s.utm_source))
        union all
        select source_key, 'direct', '', null
        from sources
        where coalesce(utm_source, utm_medium, utm_campaign, click_id, referrer_host) is null
    ),

    matched as (
        select
            t.field,
            t.told,
            min(r.position) as position,
            arg_min(r.channel, r.position) as channel
        from (select distinct field, told from told) as t
        inner join {{ ref('stg_organisation__channel_rules') }} as r
            on t.field = r.field and (t.field = 'direct' or regexp_full_match(t.told, r.pattern, 'i'))
        group by t.field, t.told
    )

    select
        s.source_key,
        coalesce(arg_min(coalesce(t.channel, m.channel), m.position), '(not set)') as channel
    from sources as s
    left join told as t on s.source_key = t.source_key
    left join matched as m on t.field = m.field and t.told = m.told
    group by s.source_key
{% endmacro %}
