"""Apache's common and combined logs and nginx's combined log: cut at the double quotes.

The usual line has as many parts as its format has quotes and six words before the first of them;
what is costly is done for other lines only.
"""

# ruff: noqa: S608  # made of constants
from __future__ import annotations

from kpi_pipeline.feeds.access_logs.expressions import (
    BRACKETED,
    agent,
    is_no_status,
    method,
    recorded,
    target,
)


def fields(lines: str, has_agent: bool) -> str:
    """SQL of the fields; has_agent: the log is a combined one.

    A line may begin with the host (`host:port` or `host`) and end in further fields.
    """
    referrer = recorded("parts[4]") if has_agent else "null::VARCHAR"
    user_agent = agent("parts[6]") if has_agent else "null::VARCHAR"
    return f"""
    select file_no, n, stamp, false as is_directive, address, user_name, occurred_at, method,
        target, status, size, referrer, user_agent, host,
        case when fault is not null then fault
            when not coalesce(is_whole, false) then {_why(has_agent)}
            when occurred_at is null and stamp is not null
                then 'its time is none such as [17/May/2015:10:05:03 +0000]'
            when occurred_at is null then 'has no time such as [17/May/2015:10:05:03 +0000]'
            when address is null then 'has no address before its time'
            when {is_no_status("status")} then 'has no status of three digits' end as fault
    from (
        select file_no, n, fault, parts, {_is_whole(has_agent)} as is_whole,
            {_occurred_at()} as occurred_at, case when {_occurred_at()} is null then
                nullif(regexp_extract(parts[1], '\\[[0-9]+/[^ :]+[^]]*\\]?'), '') end as stamp,
            case when has_host then who[1] end as host,
            {recorded(_address())} as address, {recorded(_user())} as user_name,
            {method("request")} as method, {target("request")} as target,
            answer[2] as status, answer[3] as size,
            {referrer} as referrer, {user_agent} as user_agent
        from (
            select *, case when who is null or len(who) < 4 then false
                when who[2] = '-' then false when who[3] = '-' then true
                else regexp_matches(who[1], ':[0-9]+$') end as has_host
            from (
                select *, {_who()} as who
                from (
                    select file_no, n, fault, parts, string_split(parts[1], ' ') as words,
                        string_split(parts[2], ' ') as request,
                        string_split(parts[3], ' ') as answer
                    from (
                        select file_no, n, fault, {_parts(has_agent)} as parts
                        from (select *, string_split(line, '"') as cut from ({lines}))
                    )
                )
            )
        )
    )"""


def _parts(has_agent: bool) -> str:
    r"""Text between the quotes. Only a line with an unusual number of them is looked at for \".

    Apache writes "" for a user who gave an empty name.
    """
    usual = "len(cut) = 3"
    if has_agent:
        usual = r"len(cut) = 7 and not suffix(cut[4], '\') and not suffix(cut[6], '\')"
    return (
        f"case when {usual} then cut else list_transform(string_split("
        r"""replace(replace(replace(line, '\\', chr(2)), '\"', chr(3)), ' "" [', ' - ['), '"'), """
        r"""lambda part: replace(replace(part, chr(3), '"'), chr(2), '\')) end"""
    )


def _is_whole(has_agent: bool) -> str:
    numbers = "len(parts) % 2 = 1 and answer[1] = '' and len(answer) > 2"
    if not has_agent:
        return numbers
    return f"{numbers} and parts[5] = ' ' and (parts[7] = '' or starts_with(parts[7], ' '))"


def _why(has_agent: bool) -> str:
    quotes = "'its quotes do not match'"
    if not has_agent:
        return quotes
    return f"case when len(parts) = 3 then 'has no referrer and no user agent' else {quotes} end"


def _occurred_at() -> str:
    return (
        f"case when words[-2] = '+0000]' then try_strptime(words[-3], '{BRACKETED}') else "
        f"timezone('UTC', try_strptime(words[-3] || ' ' || words[-2], '{BRACKETED} %z]')) end"
    )


def _who() -> str:
    """What stands before the time, where it is not just address, identity and user.

    A list of addresses, which proxies leave, becomes one word.
    """
    before = "array_to_string(words[:-4], ' ')"
    addresses = f"regexp_extract({before}, '^[^ ,]+(, ?[^ ,]+)+')"
    joined = f"replace({addresses}, ' ', '') || substr({before}, 1 + length({addresses}))"
    return (
        "case when len(words) = 6 then null "
        f"when contains(parts[1], ',') then string_split({joined}, ' ') else words[:-4] end"
    )


def _address() -> str:
    return (
        "case when who is null then words[1] when has_host then who[2] "
        "when len(who) > 2 then who[1] end"
    )


def _user() -> str:
    """A user's name may hold spaces."""
    return (
        "case when who is null then words[3] "
        "else array_to_string(who[case when has_host then 4 else 3 end :], ' ') end"
    )
