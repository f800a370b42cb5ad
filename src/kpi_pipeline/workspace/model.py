"""What a loaded workspace is: frozen values, already checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from kpi_pipeline.periods import Calendar, Grain

OrgType = Literal["text", "date", "number", "integer", "boolean"]
Rank = Literal["specialist", "manager", "director"]
Format = Literal["csv", "jsonl", "parquet"]
Arrival = Literal["file_per_day", "covering"]
OnMissing = Literal["withhold", "skip"]


@dataclass(frozen=True)
class OrgColumn:
    """One column of an organisation table.

    choices: the only texts allowed. refers: `table.column` its values must be found in.
    form: a further rule for its text (see `tables.FORMS`).
    """

    name: str
    type: OrgType = "text"
    required: bool = True
    choices: tuple[str, ...] = ()
    refers: str | None = None
    form: str | None = None


@dataclass(frozen=True)
class Table:
    """An organisation table. Cells: str, date, float, int, bool or None, by the column's type.

    lines: the line of the file each row began on. hash: of the content, not of the order of rows.
    """

    name: str
    columns: tuple[OrgColumn, ...]
    rows: tuple[tuple[object, ...], ...]
    hash: str
    lines: tuple[int, ...] = field(default=(), repr=False, compare=False)

    def records(self) -> list[dict[str, object]]:
        """The rows as dictionaries by column name."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Aggregate:
    """How single events become rows of a daily feed.

    date_from: source column with the event's time or date. count: contract column that gets the
    number of events. sum: contract column to the source column it sums.
    """

    date_from: str
    count: str | None
    sum: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Source:
    """One set of files that holds one feed table of one product. Attributes are named as in YAML.

    files: pattern relative to the workspace, or absolute. columns: contract column to source
    column. constants: contract column to value. time_format: strptime, None for ISO 8601.
    """

    feed: str
    table: str
    product: str
    files: str
    format: Format
    arrival: Arrival
    last_day_complete: bool = False
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    constants: Mapping[str, str] = field(default_factory=dict, hash=False)
    time_format: str | None = None
    time_zone: str = "UTC"
    null_tokens: tuple[str, ...] = ("",)
    delimiter: str = ","
    aggregate: Aggregate | None = None
    on_repeat: Literal["error", "sum"] = "error"


@dataclass(frozen=True)
class Policy:
    """When a report goes out. Times are the reader's, on the day after the period's last day.

    The deadline lies `deadline_days` later; edition 2 may follow within `second_edition_days`;
    older than `max_age_days` past the deadline is never sent.
    """

    report: str
    grain: Grain
    rank: Rank
    send_at: time
    deadline: time
    deadline_days: int = 0
    on_missing: OnMissing = "withhold"
    max_age_days: int = 3
    second_edition: bool = True
    second_edition_days: int = 5


@dataclass(frozen=True)
class Product:
    product_id: str
    name: str
    time_zone: str
    currency: str
    started_on: date
    identity_space: str
    traffic_source: Literal["own", "backend"]
    margin_share: float | None = None
    point_cost: float | None = None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True)
class Person:
    """A reader, as valid on local days `[valid_from, valid_to)`."""

    person_id: str
    name: str
    rank: Rank
    team: str | None
    manager: str | None
    email: str
    locale: Literal["en", "es"]
    time_zone: str
    valid_from: date
    valid_to: date | None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def is_valid_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True)
class Workspace:
    """A deployment, fully checked. `warnings`: sentences about what is odd but allowed.

    mail_from: a period whose last day is before it is never mailed.
    give_up_at: feed to the product's local time, on the day after a slice's day.
    """

    root: Path
    sources: tuple[Source, ...]
    give_up_at: Mapping[str, time] = field(hash=False)
    policies: Mapping[str, Policy] = field(hash=False)
    mail_from: date
    tables: Mapping[str, Table] = field(hash=False)
    calendar: Calendar
    products: Mapping[str, Product] = field(hash=False)
    people: tuple[Person, ...]
    warnings: tuple[str, ...] = ()

    def feeds_of(self, product_id: str) -> set[str]:
        """The feeds for which the product has at least one source."""
        return {source.feed for source in self.sources if source.product == product_id}

    def sources_of(self, feed: str, product_id: str) -> tuple[Source, ...]:
        """The sources of that feed and product, in the order of `sources.yml`."""
        return tuple(s for s in self.sources if s.feed == feed and s.product == product_id)
