"""The four feeds as contracts: tables, columns, types, keys. Adapters turn real exports into these.

`identifier` columns are replaced by a keyed hash at landing. `time` columns are TIMESTAMP in UTC.
Every landed table also has `product_id` and `local_date`, the day in the product's time zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "identifier", "time", "date", "count", "decimal", "boolean"]
DayRule = Literal["instant", "date", "period_end"]
NOT_SET = "(not set)"

SQL_TYPES: dict[ColumnType, str] = {
    "text": "VARCHAR",
    "identifier": "VARCHAR",
    "time": "TIMESTAMP",
    "date": "DATE",
    "count": "BIGINT",
    "decimal": "DECIMAL(18, 4)",
    "boolean": "BOOLEAN",
}


@dataclass(frozen=True)
class Column:
    """One column of a contract. An absent key part becomes `(not set)`."""

    name: str
    type: ColumnType
    required: bool = False
    key: bool = False


@dataclass(frozen=True)
class FeedTable:
    """One table of a feed.

    day_column / day_rule: how a row finds its slice. `instant`: the local date of a UTC time;
    `date`: the column itself; `period_end`: the last day of the row's grain and period_start.
    """

    name: str
    columns: tuple[Column, ...]
    day_column: str
    day_rule: DayRule

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if c.key)


@dataclass(frozen=True)
class Feed:
    """A feed: its tables, the first of which decides arrival."""

    name: str
    label: str
    tables: tuple[FeedTable, ...]


def _key(name: str, kind: ColumnType = "text") -> Column:
    return Column(name, kind, required=kind != "text", key=True)


_PERIOD_SCOPE = (
    Column("scope_kind", "text", required=True, key=True),
    Column("scope_id", "text", required=True, key=True),
    Column("grain", "text", required=True, key=True),
    Column("period_start", "date", required=True, key=True),
)

PAGE_VIEWS = Feed(
    "page_views",
    "Page views",
    (
        FeedTable(
            "page_views",
            (
                Column("event_id", "text", key=True),
                Column("occurred_at", "time", required=True),
                Column("visitor_id", "identifier", required=True),
                Column("user_id", "identifier"),
                Column("url", "text", required=True),
                Column("referrer", "text"),
                Column("utm_source", "text"),
                Column("utm_medium", "text"),
                Column("utm_campaign", "text"),
                Column("content_id", "text"),
                Column("country", "text"),
                Column("device", "text"),
                Column("is_bot", "boolean"),
            ),
            "occurred_at",
            "instant",
        ),
    ),
)

TRAFFIC = Feed(
    "traffic",
    "Traffic",
    (
        FeedTable(
            "traffic",
            (
                _key("date", "date"),
                _key("source"),
                _key("medium"),
                _key("campaign"),
                _key("device"),
                Column("visits", "count", required=True),
                Column("visitors", "count"),
                Column("new_visitors", "count"),
                Column("page_views", "count"),
                Column("bounces", "count"),
                Column("duration_seconds", "count"),
            ),
            "date",
            "date",
        ),
        FeedTable(
            "traffic_uniques",
            (
                *_PERIOD_SCOPE,
                Column("visitors", "count", required=True),
                Column("new_visitors", "count"),
            ),
            "period_start",
            "period_end",
        ),
    ),
)

EXPOSURE = Feed(
    "exposure",
    "Exposure",
    (
        FeedTable(
            "exposure",
            (
                _key("date", "date"),
                _key("channel"),
                _key("campaign"),
                _key("placement"),
                _key("content_id"),
                Column("impressions", "count", required=True),
                Column("reach", "count"),
                Column("clicks", "count", required=True),
                Column("cost", "decimal"),
                Column("currency", "text"),
            ),
            "date",
            "date",
        ),
        FeedTable(
            "exposure_reach",
            (*_PERIOD_SCOPE, Column("reach", "count", required=True)),
            "period_start",
            "period_end",
        ),
        FeedTable(
            "exposure_market",
            (
                _key("date", "date"),
                _key("channel"),
                Column("market_impressions", "count", required=True),
            ),
            "date",
            "date",
        ),
    ),
)

USER_GROWTH = Feed(
    "user_growth",
    "User growth",
    (
        FeedTable(
            "users",
            (
                Column("user_id", "identifier", required=True, key=True),
                Column("signed_up_at", "time", required=True),
                Column("channel", "text"),
                Column("campaign", "text"),
                Column("invited_by", "identifier"),
            ),
            "signed_up_at",
            "instant",
        ),
        FeedTable(
            "activity",
            (
                Column("event_id", "text", key=True),
                Column("user_id", "identifier", required=True),
                Column("occurred_at", "time", required=True),
                Column("kind", "text", required=True),
                Column("value", "decimal"),
                Column("currency", "text"),
            ),
            "occurred_at",
            "instant",
        ),
        FeedTable(
            "content",
            (
                Column("content_id", "text", required=True, key=True),
                Column("content_type", "text", required=True),
                Column("published_at", "time", required=True),
                Column("url_path", "text"),
            ),
            "published_at",
            "instant",
        ),
    ),
)

FEEDS: dict[str, Feed] = {f.name: f for f in (PAGE_VIEWS, TRAFFIC, EXPOSURE, USER_GROWTH)}
