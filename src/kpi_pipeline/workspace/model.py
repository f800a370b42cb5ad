"""What a loaded workspace is: frozen values, already checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from kpi_pipeline.periods import Calendar, Grain
from kpi_pipeline.workspace.thresholds import NO_THRESHOLDS, Thresholds

OrgType = Literal["text", "date", "number", "integer", "boolean"]
Rank = Literal["specialist", "manager", "director"]
Format = Literal["csv", "jsonl", "parquet", "xlsx", "access_log"]
LogFormat = Literal["common", "combined", "nginx_json", "w3c"]
TimePrecision = Literal["second", "minute", "hour", "day"]
Deduplicate = Literal["no", "identical", "last_file"]
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
class Share:
    """A column given as a share or a mean of another: `Bounce rate` of visits, seconds a visit.

    column: source column. of: contract column it refers to. is_percent: 45.3 means 45.3 %.
    """

    column: str
    of: str
    is_percent: bool


@dataclass(frozen=True)
class Unpivot:
    """A wide file: one column a day. Columns whose header follows `header` (strptime) become rows.

    name: contract column that gets the header. value: contract column that gets the cell.
    """

    header: str
    name: str
    value: str


@dataclass(frozen=True)
class Pages:
    """What of an access log is a page view; None where the documented default holds.

    methods, statuses: what counts. not_pages: regular expressions of paths that do not. hosts: the
    only hosts that count, where the log names them. bots: further user agents, as expressions.
    """

    methods: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    not_pages: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """One set of files that holds one feed table of one product. Attributes are named as in YAML.

    files: pattern relative to the workspace, absolute, or a URL of an object store; {day} is a day.
    member: pattern of the files inside a ZIP. sheets: patterns of sheets of an XLSX.
    encoding: a name Python knows. header_row: line of the header, from 1. total_rows: texts that
    begin a row which is a total. ends_at_blank_line: what follows a blank line is no row.
    columns: contract column to source column. constants: contract column to value. shares: contract
    column to the share or mean it is given as. null_tokens_of: contract column to its own tokens.
    time_format: strptime, None for ISO 8601. optional: columns that may be missing from a file.
    product_column: source column that says which product a row is of; product_values are this
    product's, other_values those of other products or ignored ones.
    several_files_a_day: `add`, or `last`: the last by name replaces the others of its day.
    restates_days: how many days before a new one are read again. time_precision: what its times are
    exact to; from `hour` on, nothing is said of how long a visit was. log_fields: name of a log's
    field to its JSON key. is_zone_declared: whether `time_zone` was written, be it UTC.
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
    member: str = "*"
    sheets: tuple[str, ...] = ()
    encoding: str = "utf-8"
    header_row: int = 1
    total_rows: tuple[str, ...] = ()
    ends_at_blank_line: bool = False
    decimal_separator: str = "."
    thousands_separator: str = ""
    shares: Mapping[str, Share] = field(default_factory=dict, hash=False)
    null_tokens_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    unpivot: Unpivot | None = None
    optional: tuple[str, ...] = ()
    product_column: str | None = None
    product_values: tuple[str, ...] = ()
    other_values: tuple[str, ...] = ()
    several_files_a_day: Literal["add", "last"] = "add"
    dedupe_across_files: Deduplicate = "no"
    restates_days: int = 0
    time_precision: TimePrecision = "second"
    log_format: LogFormat = "combined"
    log_fields: Mapping[str, str] = field(default_factory=dict, hash=False)
    pages: Pages = Pages()
    is_zone_declared: bool = field(default=False, compare=False)


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
    give_up_at: feed to the product's local time, on the day after a slice's day. thresholds: what
    the checks compare with.
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
    thresholds: Thresholds = NO_THRESHOLDS
    warnings: tuple[str, ...] = ()

    def feeds_of(self, product_id: str) -> set[str]:
        """The feeds for which the product has at least one source."""
        return {source.feed for source in self.sources if source.product == product_id}

    def has_durations(self, feed: str, product_id: str) -> bool:
        """Whether the feed's times are exact enough to say how long something took."""
        sources = self.sources_of(feed, product_id)
        return all(source.time_precision in ("second", "minute") for source in sources)

    def sources_of(self, feed: str, product_id: str) -> tuple[Source, ...]:
        """The sources of that feed and product, in the order of `sources.yml`."""
        return tuple(s for s in self.sources if s.feed == feed and s.product == product_id)
