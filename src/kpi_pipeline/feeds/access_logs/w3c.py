"""W3C extended logs, of IIS and CloudFront: columns as the last #Fields line names them."""

# ruff: noqa: S608  # made of constants and positions
from __future__ import annotations

from collections.abc import Sequence

from kpi_pipeline.feeds.access_logs.expressions import agent, is_no_status, recorded
from kpi_pipeline.feeds.access_logs.lines import Layout
from kpi_pipeline.workspace.model import Source

#: Columns a field is looked for in, in this order; `log_fields` of a source replaces it.
COLUMNS: dict[str, tuple[str, ...]] = {
    "time": ("time",),
    "address": ("c-ip",),
    "user": ("cs-username",),
    "method": ("cs-method",),
    "path": ("cs-uri-stem", "cs-uri"),
    "status": ("sc-status",),
    "referrer": ("cs(referer)",),
    "user_agent": ("cs(user-agent)",),
    "host": ("x-host-header", "cs-host", "cs(host)"),
}


def fields(source: Source, lines: str, layouts: Sequence[Layout]) -> str:
    """SQL of the fields. Times are UTC, as the format says. A line of CloudFront holds tabs."""

    def column(*names: str) -> str:
        """SQL of the first of these columns that the line's layout has."""
        at = [next((layout.index(n) + 1 for n in names if n in layout), None) for layout in layouts]
        listed = ", ".join("null" if i is None else str(i) for i in at)
        index = (listed or "null") if len(at) < 2 else f"([{listed}])[layout]"
        return f"cut[{index}::BIGINT]"

    def field(name: str) -> str:
        own = source.log_fields.get(name)
        return column(*COLUMNS[name] if own is None else (own.lower(),))

    def value(name: str) -> str:
        return recorded(field(name))

    width = f"([{', '.join(str(len(layout)) for layout in layouts)}]::BIGINT[])[layout]"
    return f"""
    select file_no, n, stamp, is_directive, address, user_name, occurred_at, method,
        {_undone("stem")} || coalesce('?' || {_undone("query")}, '') as target,
        status, size, {_undone("referrer")} as referrer, {_agent()} as user_agent, host,
        case when fault is not null then fault
            when is_directive then null
            when width is null then 'no #Fields line stands before it'
            when len(cut) <> width then 'the line has ' || len(cut) || ' columns, not ' || width
            when occurred_at is null and stamp is not null then 'its time cannot be read'
            when occurred_at is null then 'has no date and time that can be read'
            when address is null then 'has no address of the client (c-ip)'
            when {is_no_status("status")} then 'has no status of three digits' end as fault
    from (
        select file_no, n, fault, cut, is_directive, is_tabbed, {width} as width,
            {value("address")} as address, {value("user")} as user_name,
            {column("date")} || ' ' || {field("time")} as stamp,
            try_cast({column("date")} || ' ' || {field("time")} as TIMESTAMP) as occurred_at,
            {value("method")} as method, {value("path")} as stem,
            {recorded(column("cs-uri-query"))} as query, {value("status")} as status,
            {column("sc-bytes")} as size, {value("referrer")} as referrer,
            {agent(field("user_agent"))} as agent, {value("host")} as host
        from (
            select file_no, n, layout, fault, is_directive, is_tabbed, case
                when is_directive then [] when is_tabbed then string_split(line, chr(9))
                else string_split(line, ' ') end as cut
            from (
                select *, starts_with(line, '#') as is_directive,
                    contains(line, chr(9)) as is_tabbed
                from ({lines})
            )
        )
    )"""


def _undone(text: str) -> str:
    """CloudFront encodes what was sent once more, the percent sign too: %2520 was %20."""
    return (
        f"case when is_tabbed and contains({text}, '%25') "
        f"then regexp_replace({text}, '%25([0-9A-Fa-f]{{2}})', '%\\1', 'g') else {text} end"
    )


def _agent() -> str:
    """IIS writes + for a space; CloudFront %20, and earlier %2520."""
    return (
        f"case when is_tabbed then coalesce(try(url_decode({_undone('agent')})), agent) "
        "else replace(agent, '+', ' ') end"
    )
