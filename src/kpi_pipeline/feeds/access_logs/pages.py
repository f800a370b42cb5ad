"""Which requests are page views: rules in order, and the first that holds names what is dropped."""

# ruff: noqa: S608  # made of constants and of what is quoted by `quoted`
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kpi_pipeline.feeds.access_logs.expressions import is_one_of
from kpi_pipeline.feeds.sql import quoted
from kpi_pipeline.workspace.model import Pages

METHODS = ("GET",)
STATUSES = ("200", "304")
STATIC = (
    "7z|aac|apk|avi|avif|bin|bmp|bz2|cab|css|cur|deb|dmg|docx?|eot|eps|exe|flac|flv|gif|gz|ico|iso"
    "|jar|jpe?g|js|m3u8|m4[asv]|map|mjs|mov|mp[34]|mpe?g|msi|od[pst]|og[agv]|otf|pdf|pkg|png|pptx?"
    "|ps|psd|rar|rpm|svgz?|swf|tar|tgz|tiff?|ts|ttf|vtt|war|wasm|wav|webm|webp|wma|wmv|woff2?|xlsx?"
    "|xz|zip|zst"
)
DATA = "csv|json|jsonld|log|tsv|txt|webmanifest|xml|xslt?|ya?ml"
FEEDS = r"(/(feeds?|rss2?|atom|rdf|feed\.xml|rss\.xml|atom\.xml)/?|\.(rss|atom|rdf))"
FEED_QUERY = "(?i)[?&](feed|flav|format|type)=(comments-)?(rss|atom|rdf|feed)"
HEALTH = (
    "/(_?health|healthz|health[-_]?check|livez|readyz|ping|heartbeat|server-status|nginx_status"
    "|stub_status)/?"
)
HEALTH_AGENTS = (
    "ELB-HealthChecker",
    "GoogleHC",
    "kube-probe",
    "Amazon-Route53-Health-Check-Service",
)


@dataclass(frozen=True)
class Rule:
    """A reason why a request is no page view. condition: SQL over the columns of `prepared`."""

    name: str
    condition: str


def prepared(fields: str) -> str:
    """SQL of the fields with the path (and its query) of the target, NULL where it asks for none,
    and the host in small letters without its port."""
    whole = "(?i)^https?://([^/?#]+)"
    return f"""
    select * replace (case when contains(host, ':') then regexp_replace(host, ':[0-9]+$', '')
            else host end as host)
    from (
        select * replace (lower(case when is_url then regexp_extract(target, '{whole}', 1)
                else host end) as host),
            case when starts_with(target, '/') then target when is_url
                then coalesce(nullif(regexp_replace(target, '{whole}', ''), ''), '/') end as path
        from (
            select *, case when starts_with(target, '/') then false
                else coalesce(regexp_matches(target, '{whole}'), false) end as is_url
            from ({fields})
        )
    )"""


#: Only programs ask for it, so it lands as a bot's, as what bots read does.
ASKS_FOR_ROBOTS_TXT = "path = '/robots.txt' or starts_with(path, '/robots.txt?')"


def rules(pages: Pages) -> tuple[Rule, ...]:
    """The rules of a source, in order."""
    hosts = tuple(host.lower() for host in pages.hosts)
    paths = " or ".join(f"regexp_matches(path, {quoted(p)})" for p in pages.not_pages)
    agents = " or ".join(f"starts_with(user_agent, {quoted(a)})" for a in HEALTH_AGENTS)
    is_data = f"contains(path, '.') and {_ends(f'[.]({DATA})')}"
    every = (
        Rule("directive", "is_directive"),
        Rule("not_a_request", "path is null"),
        Rule("other_host", f"host is not null and not {is_one_of('host', hosts)}" if hosts else ""),
        Rule("method", f"not {is_one_of('method', pages.methods or METHODS)}"),
        Rule("status", f"not ({_is_status(pages.statuses or STATUSES)})"),
        Rule("static_file", f"contains(path, '.') and {_ends(f'[.]({STATIC})')}"),
        Rule("well_known", "starts_with(path, '/.well-known/')"),
        Rule("health_check", f"{_ends(HEALTH)} or {agents}"),
        Rule("feed", _ends(FEEDS, f"or regexp_matches(path, '{FEED_QUERY}')")),
        Rule("data_file", f"{is_data} and not ({ASKS_FOR_ROBOTS_TXT})"),
        Rule("not_a_page", paths),
    )
    return tuple(rule for rule in every if rule.condition)


def dropped_by(pages: Pages) -> str:
    """SQL of the name of the first rule that holds, or NULL for a page view."""
    whens = " ".join(f"when {r.condition} then {quoted(r.name)}" for r in rules(pages))
    return f"case {whens} end"


def _is_status(statuses: Iterable[str]) -> str:
    """`304`, or `2xx` for all that begin with 2."""
    return " or ".join(f"status like {quoted(s.lower().replace('x', '_'))}" for s in statuses)


def _ends(pattern: str, or_query: str = "") -> str:
    """Whether the path without its query ends so, in small or capital letters.

    or_query: a further condition for paths that have a query.
    """
    return (
        f"case when contains(path, '?') then regexp_matches(path, '(?i)^[^?]*{pattern}[?]') "
        f"{or_query} else regexp_matches(path, '(?i){pattern}$') end"
    )
