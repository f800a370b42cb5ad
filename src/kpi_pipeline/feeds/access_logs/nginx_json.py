"""nginx logs of one JSON object a line, written with `log_format … escape=json`."""

# ruff: noqa: S608  # keys are quoted by `quoted`
from __future__ import annotations

import json

from kpi_pipeline.feeds.access_logs.expressions import (
    BRACKETED,
    agent,
    is_no_status,
    method,
    recorded,
    target,
)
from kpi_pipeline.feeds.sql import quoted
from kpi_pipeline.workspace.model import Source

#: Where a field is looked for, in this order; `log_fields` of a source replaces it.
KEYS: dict[str, tuple[str, ...]] = {
    "time": ("time_iso8601", "time_local", "msec", "@timestamp", "timestamp", "time"),
    "address": ("remote_addr", "client_ip", "clientip", "remote_ip"),
    "user": ("remote_user", "user"),
    "method": ("request_method", "method"),
    "path": ("request_uri", "path"),
    "status": ("status",),
    "referrer": ("http_referer", "http_referrer", "referer", "referrer"),
    "user_agent": ("http_user_agent", "user_agent", "agent"),
    "host": ("host", "http_host", "server_name"),
}
FURTHER = ("request", "uri", "args", "body_bytes_sent", "bytes_sent")
ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
OFFSET = r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"


def fields(source: Source, lines: str) -> str:
    """SQL of the fields. A time without an offset is in the source's time zone."""
    keys = {
        name: (source.log_fields.get(name),) if name in source.log_fields else usual
        for name, usual in KEYS.items()
    }
    every = list(dict.fromkeys([*(key for names in keys.values() for key in names), *FURTHER]))
    listed = ", ".join(quoted("$." + json.dumps(key, ensure_ascii=False)) for key in every)

    def raw(*names: str) -> str:
        return f"coalesce({', '.join(f'found[{every.index(name) + 1}]' for name in names)})"

    def value(*names: str) -> str:
        return f"coalesce({', '.join(recorded(raw(name)) for name in names)})"

    # Without `escape=json` nginx writes \x22, which is no JSON; \u0022 is.
    as_is = f"try(json_extract_string(line, [{listed}]))"
    mended = rf"try(json_extract_string(replace(line, '\x', '\u00'), [{listed}]))"
    return f"""
    select file_no, n, stamp, false as is_directive, address, user_name, occurred_at,
        coalesce(own_method, {method("request")}) as method,
        coalesce(own_target, {target("request")}, uri) as target,
        status, size, referrer, user_agent, host,
        case when fault is not null then fault
            when found is null then 'is no JSON object'
            when occurred_at is null and stamp is not null then 'its time cannot be read'
            when occurred_at is null then 'has no time that can be read'
            when address is null then 'has no address'
            when {is_no_status("status")} then 'has no status of three digits' end as fault
    from (
        select *, {_occurred_at(source)} as occurred_at
        from (
            select file_no, n, fault, found, {value(*keys["time"])} as stamp,
                {value(*keys["address"])} as address, {value(*keys["user"])} as user_name,
                string_split({value("request")}, ' ') as request,
                {value(*keys["method"])} as own_method, {value(*keys["path"])} as own_target,
                {value("uri")} || coalesce('?' || {value("args")}, '') as uri,
                {value(*keys["status"])} as status,
                {value("body_bytes_sent", "bytes_sent")} as size,
                {value(*keys["referrer"])} as referrer,
                {agent(raw(*keys["user_agent"]))} as user_agent,
                {value(*keys["host"])} as host
            from (
                select file_no, n, fault, case when not starts_with(line, '{{') then null
                    else coalesce({as_is}, case when contains(line, '\\x') then {mended} end)
                    end as found
                from ({lines})
            )
        )
    )"""


def _occurred_at(source: Source) -> str:
    """SQL of `stamp` as UTC: ISO 8601, as in a combined log, seconds or milliseconds since 1970."""
    plain = f"timezone({quoted(source.time_zone)}, try_cast(stamp as TIMESTAMP))"
    return (
        "case when stamp like '__/___/____:__:__:__ _____' "
        f"then timezone('UTC', try_strptime('[' || stamp, '{BRACKETED} %z')) "
        "when regexp_full_match(stamp, '[0-9]{13}') then make_timestamp(stamp::BIGINT * 1000) "
        r"when regexp_full_match(stamp, '[0-9]{9,10}(\.[0-9]{1,9})?') "
        "then make_timestamp((stamp::DOUBLE * 1000)::BIGINT * 1000) "
        f"when regexp_full_match(stamp, '{ISO}{OFFSET}') "
        "then timezone('UTC', try_cast(stamp as TIMESTAMPTZ)) "
        f"when regexp_full_match(stamp, '{ISO}') then timezone('UTC', {plain}) end"
    )
