{#-
  Contributions of the members of a dimension to the change of a KPI, in the KPI's unit.
  Reads the CTEs `totals` (ask, dimension, method additive or ratio, scale, n0, d0, n1, d1: both sides
  of the whole; a ratio is scale * n / d) and `sides` (ask, dimension, member, n0, d0, n1, d1: both
  sides of a member, 0 where it has nothing).
  Gives ask, dimension, member, effect, contribution.
-#}
{% macro contributions() %}
    select
        s.ask,
        s.dimension,
        s.member,
        'volume' as effect,
        s.n1 - s.n0 as contribution
    from sides as s
    inner join totals as t on s.ask = t.ask and s.dimension = t.dimension and t.method = 'additive'
    union all
    select
        r.ask,
        r.dimension,
        r.member,
        e.effect,
        r.scale * case e.effect
            when 'rate' then 0.5 * (r.w0 + r.w1) * (r.r1 - r.r0)
            when 'mix' then (r.w1 - r.w0) * (0.5 * (r.r0 + r.r1) - 0.5 * (r.total0 + r.total1))
            when 'unmatched' then r.unmatched1 - r.unmatched0
        end as contribution
    from ({{ member_rates() }}) as r
    inner join (select unnest(['rate', 'mix', 'unmatched']) as effect) as e
        on case e.effect when 'unmatched' then r.unmatched0 <> 0 or r.unmatched1 <> 0 else r.r0 is not null end
{% endmacro %}

{#-
  Shares and rates of the members of a ratio. Without a denominator on one side a member takes the
  other side's rate; a numerator that has none on its side is per the whole's denominator, unmatched.
-#}
{% macro member_rates() %}
    select
        s.ask,
        s.dimension,
        s.member,
        t.scale,
        t.n0 / t.d0 as total0,
        t.n1 / t.d1 as total1,
        s.d0 / t.d0 as w0,
        s.d1 / t.d1 as w1,
        s.d0 <> 0 and s.d1 <> 0 as is_on_both_sides,
        coalesce(s.n0 / nullif(s.d0, 0), s.n1 / nullif(s.d1, 0)) as r0,
        coalesce(s.n1 / nullif(s.d1, 0), s.n0 / nullif(s.d0, 0)) as r1,
        case when s.d0 = 0 then s.n0 / t.d0 else 0 end as unmatched0,
        case when s.d1 = 0 then s.n1 / t.d1 else 0 end as unmatched1
    from sides as s
    inner join totals as t on s.ask = t.ask and s.dimension = t.dimension and t.method = 'ratio'
{% endmacro %}

{#-
  Simpson: the rate of every member that has one on both sides moved one way, the whole's the other.
  Gives ask, dimension and is_reversed.
-#}
{% macro reversals() %}
    select
        r.ask,
        r.dimension,
        coalesce(
            bool_and(r.r1 > r.r0) filter (where r.is_on_both_sides) and any_value(r.total1 < r.total0)
            or bool_and(r.r1 < r.r0) filter (where r.is_on_both_sides) and any_value(r.total1 > r.total0),
            false
        ) as is_reversed
    from ({{ member_rates() }}) as r
    group by r.ask, r.dimension
{% endmacro %}

{#-
  Contributions of factors whose product each member's value is (LMDI-I). Reads the CTEs `chained`
  (ask, dimension, member, v0, v1) and `factors` (ask, member, factor, f0, f1). A member with a factor
  that is zero or missing enters by its volume alone.
-#}
{% macro chain_contributions() %}
    select
        c.ask,
        c.dimension,
        c.member,
        'factor:' || f.factor as effect,
        {{ logarithmic_mean('c.v1', 'c.v0') }} * ln(f.f1 / f.f0) as contribution
    from chained as c
    inner join ({{ members_with_all_factors() }}) as w on c.ask = w.ask and c.member = w.member
    inner join factors as f on c.ask = f.ask and c.member = f.member
    union all
    select
        c.ask,
        c.dimension,
        c.member,
        'volume' as effect,
        c.v1 - c.v0 as contribution
    from chained as c
    anti join ({{ members_with_all_factors() }}) as w on c.ask = w.ask and c.member = w.member
{% endmacro %}

{% macro members_with_all_factors() %}
    select
        f.ask,
        f.member
    from factors as f
    group by f.ask, f.member
    having bool_and(coalesce(f.f0 > 0 and f.f1 > 0, false))
{% endmacro %}

{#- L(a, b) = (a - b) / (ln a - ln b), and a where both are the same. -#}
{% macro logarithmic_mean(a, b) -%}
    case
        when abs({{ a }} - {{ b }}) <= 1e-12 * {{ b }} then {{ a }}
        else ({{ a }} - {{ b }}) / (ln({{ a }}) - ln({{ b }}))
    end
{%- endmacro %}

{#- As near as contributions must come to the change. -#}
{% macro nearness(before, after) -%}
    1e-9 * greatest(1, abs({{ before }}), abs({{ after }}))
{%- endmacro %}
