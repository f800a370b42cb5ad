"""The KPIs of exposure, visits and users once more: slow, obvious, from CSV files and definitions.

Nothing here is taken from the models. Every number is counted over plain Python objects, one
period at a time, as docs/kpis.md words it.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

ALL = "(all)"
NOT_SET = "(not set)"
DAY = timedelta(days=1)
NEVER = date(9999, 12, 31)
SPARSE = ("campaign", "device", "placement")
VISIT_ENDS_AFTER = timedelta(minutes=30)
#: What the open list says of the referrers in the files.
_KINDS = {"google.com": "search", "m.weibo.cn": "social", "mail.google.com": "email"}
MIX = {"user": 0.8, "professional": 0.15, "own": 0.05}
CLICK_IDS = ("gclid", "fbclid", "msclkid")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Key = tuple[str, str, str, str, str, date, date]
Dated = TypeVar("Dated", "PageView", "Visit", "Traffic", "Shown", "Market", "Transaction")
Celled = TypeVar("Celled", "Visit", "Traffic", "Shown", "Transaction")


class Scope(NamedTuple):
    kind: str
    product_id: str
    scope_id: str


class Value(NamedTuple):
    value: float | None
    numerator: float | None
    denominator: float | None
    is_complete: bool
    scope_changed: bool
    incomplete_because: str | None


class Status(NamedTuple):
    value: float | None
    is_complete: bool
    previous_value: float | None
    previous_change: float | None
    previous_change_share: float | None
    last_year_value: float | None
    last_year_change: float | None
    target: float | None
    attainment: float | None


class Figure(NamedTuple):
    """A KPI over some days: its value, and what it is a ratio of."""

    value: float | None
    numerator: float | None = None
    denominator: float | None = None


@dataclass(frozen=True)
class Period:
    grain: str
    start: date
    end: date

    @property
    def last_day(self) -> date:
        return self.end - DAY


@dataclass(frozen=True)
class Product:
    product_id: str
    zone: ZoneInfo
    currency: str
    started_on: date
    space: str
    traffic_source: str
    feeds: frozenset[str]
    margin_share: float | None
    point_cost: float | None

    def has(self, feed: str) -> bool:
        """`visits` is the feed this product's traffic_source names."""
        return self.source_of(feed) in self.feeds

    def source_of(self, feed: str) -> str:
        if feed != "visits":
            return feed
        return "traffic" if self.traffic_source == "backend" else "page_views"


@dataclass(frozen=True)
class Owned:
    """One thing a person or team owns of one product, from a day to before another."""

    kind: str
    scope_id: str
    what: str
    which: str
    product_id: str
    since: date
    until: date


@dataclass(frozen=True)
class PageView:
    product_id: str
    day: date
    at: datetime
    event_id: str
    visitor: str
    path: str
    campaign: tuple[str, str, str]
    click_id: str
    referrer_host: str
    device: str
    content_id: str


@dataclass
class Visit:
    product_id: str
    day: date
    channel: str
    campaign: str
    device: str
    pages: list[PageView]

    @property
    def seconds(self) -> float:
        return (self.pages[-1].at - self.pages[0].at).total_seconds()


@dataclass(frozen=True)
class Traffic:
    product_id: str
    day: date
    channel: str
    campaign: str
    visits: int
    page_views: int
    bounces: int
    seconds: int
    device: str


@dataclass(frozen=True)
class Shown:
    product_id: str
    day: date
    channel: str
    campaign: str
    impressions: int
    clicks: int
    cost: float | None
    currency: str
    placement: str
    reach: int | None


@dataclass(frozen=True)
class Market:
    product_id: str
    day: date
    channel: str
    impressions: int


@dataclass(frozen=True)
class SignUp:
    product_id: str
    day: date
    user: str
    channel: str
    campaign: str
    at: datetime
    is_invited: bool


@dataclass(frozen=True)
class Active:
    """A user's active day in a product, with the channel and campaign they signed up by."""

    product_id: str
    day: date
    user: str
    channel: str
    campaign: str


@dataclass(frozen=True)
class Transaction:
    """An order, or points issued or redeemed, with how its user signed up."""

    product_id: str
    day: date
    user: str
    channel: str
    campaign: str
    is_order: bool
    points: str
    value: float | None
    currency: str


#: KPI: family, feeds, window of days that must have landed
_KPIS: dict[str, tuple[str, tuple[str, ...], str]] = {
    **dict.fromkeys(
        (
            "impressions",
            "clicks",
            "ctr",
            "cost",
            "cpm",
            "cpc",
            "impressions_with_cost_share",
            "reach",
            "reach_daily_mean",
            "frequency",
            "share_of_voice",
        ),
        ("exposure", ("exposure",), "period"),
    ),
    **dict.fromkeys(
        (
            "page_views",
            "unique_visitors",
            "daily_visitors_mean",
            "visits",
            "new_visitor_share",
            "bounce_rate",
            "pages_per_visit",
            "average_visit_duration_seconds",
        ),
        ("visits", ("visits",), "period"),
    ),
    **dict.fromkeys(("reported_visits", "reported_page_views"), ("visits", ("traffic",), "period")),
    "visits_gap": ("visits", ("page_views", "traffic"), "period"),
    "entries": ("visits", ("visits",), "period"),
    "excluded_page_views": ("visits", ("page_views",), "period"),
    **dict.fromkeys(
        (
            "sign_ups",
            "invited_sign_ups",
            "excluded_sign_ups",
            "total_users",
            "user_growth_rate",
            "content_items",
            "content_mix_share",
            "content_mix_gap",
            "active_users",
            "dau",
        ),
        ("users", ("user_growth",), "period"),
    ),
    "wau": ("users", ("user_growth",), "7"),
    "mau": ("users", ("user_growth",), "28"),
    "stickiness": ("users", ("user_growth",), "28"),
    **dict.fromkeys(
        (
            "new_active_users",
            "retained_users",
            "resurrected_users",
            "churned_users",
            "quick_ratio",
            "active_growth_rate",
            "retention_rate",
            "churn_rate",
        ),
        ("users", ("user_growth",), "with_preceding"),
    ),
    **{f"d{n}_retention": ("users", ("user_growth",), f"d{n}") for n in (1, 7, 30)},
    "activation_rate": ("users", ("user_growth",), "within_7"),
    **dict.fromkeys(
        (
            "orders",
            "revenue",
            "customers",
            "new_customers",
            "points_issued",
            "points_redeemed",
            "points_cost",
        ),
        ("revenue", ("user_growth",), "period"),
    ),
    "cost_per_visit": ("economics", ("exposure", "visits"), "period"),
    **dict.fromkeys(
        ("content_views_share", "content_views_gap"),
        ("economics", ("user_growth", "visits"), "period"),
    ),
    "visit_to_sign_up_rate": ("economics", ("user_growth", "visits"), "period"),
    "arpu": ("economics", ("user_growth",), "period"),
    "ltv": ("economics", ("user_growth",), "with_preceding"),
    "ltv_to_cac": ("economics", ("exposure", "user_growth"), "with_preceding"),
    **dict.fromkeys(
        ("cac", "payback_months", "roi"), ("economics", ("exposure", "user_growth"), "period")
    ),
}
#: KPI to the line and the label it counts.
_LABELS = {
    "prospects": ("transaction", "prospect"),
    "first_buyers": ("transaction", "first_buyer"),
    "repeat_buyers": ("transaction", "repeat_buyer"),
    "lapsing_buyers": ("transaction", "lapsing"),
    "lost_buyers": ("transaction", "lost"),
    "newcomers": ("activity", "new"),
    "regular_users": ("activity", "active"),
    "core_users": ("activity", "core"),
    "key_opinion_leaders": ("activity", "key_opinion_leader"),
    "dormant_users": ("activity", "dormant"),
    "value_top_users": ("value", "top"),
    "value_high_users": ("value", "high"),
    "value_middle_users": ("value", "middle"),
    "value_rest_users": ("value", "rest"),
}
_KPIS |= dict.fromkeys(_LABELS, ("lifecycle", ("user_growth",), "period"))
_KPIS["invitations_per_core_user"] = ("lifecycle", ("user_growth",), "period")
_KPIS["points_lift"] = ("lifecycle", ("user_growth",), "period")
#: Whose ownership a feed follows in KPIs of several feeds.
_FAMILY_OF = {"exposure": "exposure", "visits": "visits", "user_growth": "users"}
LTV_MONTHS, LTV_SMALLEST_BASE = 36, 30
LIFT_SMALLEST_BASE = 30
#: What the backend says is kept for whole products and channels.
_NOT_OWNED = {"reported_visits", "reported_page_views", "visits_gap"}
#: Days after a sign-up on which its user is observed, the first and the last.
_OBSERVED = {"d1": (1, 1), "d7": (7, 7), "d30": (30, 30), "within_7": (0, 7)}
_OF_PRODUCTS = {"excluded_page_views", "excluded_sign_ups"}
_OF_CAMPAIGNS = {
    "page_views",
    "unique_visitors",
    "daily_visitors_mean",
    "visits",
    "new_visitor_share",
    "bounce_rate",
    "pages_per_visit",
    "average_visit_duration_seconds",
}
KPIS = tuple(_KPIS)


class Reference:
    """A workspace's files, and every KPI value that should come of them from `first` to `last`."""

    def __init__(
        self, workspace: Path, feeds: Mapping[str, Sequence[str]], first: date, last: date
    ) -> None:
        self.folder = workspace
        self.first = first
        self.last = last
        self.days = _days(first, last)
        company = self._table("company")[0]
        self.currency = company["currency"]
        self.week_start = WEEKDAYS.index(company["week_start"])
        self.fiscal_start = int(company["fiscal_year_start_month"])
        self.products = {
            row["product_id"]: Product(
                row["product_id"],
                ZoneInfo(row["time_zone"]),
                row["currency"],
                date.fromisoformat(row["started_on"]),
                row["identity_space"],
                row["traffic_source"],
                frozenset(feeds[row["product_id"]]),
                _number(row.get("margin_share")),
                _number(row.get("point_cost")),
            )
            for row in self._table("products")
        }
        self.owned = list(self._ownership())
        self.excluded_views: dict[tuple[str, date], int] = defaultdict(int)
        self.page_views = list(self._page_views())
        self.visits = list(self._visits())
        self.traffic = list(self._traffic())
        self.shown = list(self._exposure())
        self.market = list(self._market())
        self.reach = self._told("exposure", "exposure_reach", ("reach",))
        self.uniques = self._told("traffic", "traffic_uniques", ("visitors", "new_visitors"))
        self.content = self._content()
        self.sign_ups = self._sign_ups()
        self.active = list(self._active())
        self.transactions = list(self._transactions())
        self.invitations = list(self._invitations())

    # -- files ----------------------------------------------------------------------------------

    def _table(self, name: str) -> list[dict[str, str]]:
        return _rows(self.folder / "organisation" / f"{name}.csv")

    def has_landed(self, feed: str, product: Product, day: date) -> bool:
        """The day's file is there; of user_growth the sign-ups' file says so."""
        source = product.source_of(feed)
        table = "users" if source == "user_growth" else source
        return source in product.feeds and (product.product_id, table, day) in self._files

    @cached_property
    def _files(self) -> set[tuple[str, str, date]]:
        """Product, table and day of the files that are there."""
        found = set()
        for path in (self.folder / "data").glob("*/*/*.csv"):
            day = date.fromisoformat(path.stem)
            if self.first <= day <= self.last:
                found.add((path.parts[-3], path.parts[-2], day))
        return found

    def _landed_rows(
        self, feed: str, table: str, time_column: str | None
    ) -> Iterator[tuple[Product, date, datetime | None, dict[str, str]]]:
        """Rows whose local day landed, wherever in the product's files they stand."""
        for product in self.products.values():
            folder = self.folder / "data" / product.product_id / table
            for path in sorted(folder.glob("*.csv")):
                for row in _rows(path):
                    at = None
                    if time_column is None:
                        day = date.fromisoformat(row["date"])
                    else:
                        at = datetime.fromisoformat(row[time_column])
                        day = at.astimezone(product.zone).date()
                    if self.has_landed(feed, product, day):
                        yield product, day, at, row

    def _is_excluded(self, kind: str, value: str, product: Product) -> bool:
        return any(
            row["kind"] == kind
            and row["product_id"] in ("", product.product_id)
            and (holds(row["value"], value) if kind == "path_prefix" else row["value"] == value)
            for row in self._exclusions
        )

    @cached_property
    def _exclusions(self) -> list[dict[str, str]]:
        return self._table("exclusions")

    def _page_views(self) -> Iterator[PageView]:
        kept: dict[tuple[str, date, str], tuple[datetime, Product, dict[str, str]]] = {}
        for product, day, at, row in self._landed_rows("page_views", "page_views", "occurred_at"):
            assert at is not None
            key = (product.product_id, day, row["event_id"])
            if key not in kept or at < kept[key][0]:
                kept[key] = (at, product, row)
        for (product_id, day, event_id), (at, product, row) in kept.items():
            url = urlsplit(row["url"])
            asked = parse_qs(url.query)
            tags = [
                row[name] or asked.get(name, [""])[0]
                for name in ("utm_source", "utm_medium", "utm_campaign")
            ]
            path = unquote(url.path).rstrip("/") or "/"
            referrer = _host(row["referrer"])
            if (
                row["is_bot"] == "true"
                or self._is_excluded("path_prefix", path, product)
                or self._is_excluded("visitor", row["visitor_id"], product)
                or self._is_excluded("utm_source", tags[0], product)
            ):
                self.excluded_views[product_id, day] += 1
                continue
            yield PageView(
                product_id,
                day,
                at,
                event_id,
                row["visitor_id"],
                path,
                (tags[0], tags[1], tags[2]),
                next((name for name in CLICK_IDS if name in asked), ""),
                "" if referrer == _host(row["url"]) else referrer,
                row.get("device") or NOT_SET,
                row.get("content_id") or "",
            )

    def _visits(self) -> Iterator[Visit]:
        by_visitor: dict[tuple[str, date, str], list[PageView]] = defaultdict(list)
        for view in self.page_views:
            by_visitor[view.product_id, view.day, view.visitor].append(view)
        for (product_id, day, _), views in by_visitor.items():
            visit: Visit | None = None
            for view in sorted(views, key=lambda v: (v.at, v.event_id)):
                if visit is not None:
                    pause = view.at - visit.pages[-1].at
                    arrives = any(view.campaign) and view.campaign != visit.pages[0].campaign
                    if pause <= VISIT_ENDS_AFTER and not arrives:
                        visit.pages.append(view)
                        continue
                    yield visit
                channel = self._channel(*view.campaign, view.click_id, view.referrer_host)
                campaign = view.campaign[2] or NOT_SET
                visit = Visit(product_id, day, channel, campaign, view.device, [view])
            assert visit is not None
            yield visit

    def _channel(
        self, source: str, medium: str, campaign: str, click_id: str, referrer: str
    ) -> str:
        found = {
            "utm_source": source,
            "utm_medium": medium,
            "utm_campaign": campaign,
            "click_id": click_id,
            "referrer_host": referrer,
            "referrer_kind": _KINDS.get(referrer, ""),
        }
        for rule in self._rules:
            if rule["field"] == "code":
                for code, channel in self._codes.items():
                    is_told = code in (source.lower(), campaign.lower())
                    if is_told and re.fullmatch(rule["pattern"], code, re.IGNORECASE):
                        return channel
            elif rule["field"] == "direct":
                if not any(found.values()):
                    return rule["channel"]
            elif found[rule["field"]] and re.fullmatch(
                rule["pattern"], found[rule["field"]], re.IGNORECASE
            ):
                return rule["channel"]
        return NOT_SET

    @cached_property
    def _codes(self) -> dict[str, str]:
        return {row["code"].lower(): row["channel"] for row in self._table("channel_codes")}

    @cached_property
    def _rules(self) -> list[dict[str, str]]:
        return sorted(self._table("channel_rules"), key=lambda row: int(row["position"]))

    def _traffic(self) -> Iterator[Traffic]:
        for product, day, _, row in self._landed_rows("traffic", "traffic", None):
            source, medium, campaign = row["source"], row["medium"], row["campaign"]
            if not (source or medium or campaign):
                channel = NOT_SET
            else:
                channel = self._channel(
                    source.replace("(direct)", ""), medium.replace("(none)", ""), campaign, "", ""
                )
            yield Traffic(
                product.product_id,
                day,
                channel,
                campaign or NOT_SET,
                int(row["visits"]),
                int(row["page_views"]),
                int(row["bounces"]),
                int(row["duration_seconds"]),
                row.get("device") or NOT_SET,
            )

    def _exposure(self) -> Iterator[Shown]:
        for product, day, _, row in self._landed_rows("exposure", "exposure", None):
            yield Shown(
                product.product_id,
                day,
                row["channel"] or NOT_SET,
                row["campaign"] or NOT_SET,
                int(row["impressions"]),
                int(row["clicks"]),
                float(row["cost"]) if row["cost"] else None,
                row["currency"] or product.currency,
                row["placement"] or NOT_SET,
                int(row["reach"]) if row["reach"] else None,
            )

    def _content(self) -> dict[tuple[str, str], list[tuple[date, str, str]]]:
        """By product and id: the days it was published on, each with type and path, in order."""
        found: dict[tuple[str, str], list[tuple[date, str, str]]] = defaultdict(list)
        for product, day, _, row in self._landed_rows("user_growth", "content", "published_at"):
            path = unquote(row["url_path"]).split("?")[0]
            path = path and (path.rstrip("/") or "/")
            found[product.product_id, row["content_id"]].append((day, row["content_type"], path))
        return {key: sorted(days) for key, days in found.items()}

    def _content_values(self) -> dict[Key, Value]:
        """Items and page views by type, wherever a product had any in the period."""
        rows: dict[Key, Value] = {}
        for product in self.products.values():
            items = [(days[0][0], days[0][1]) for key, days in self.content.items()
                     if key[0] == product.product_id]  # fmt: skip
            views = self._content_views(product)
            for period, days in self._periods_over():
                published = [kind for day, kind in items if day in days]
                viewed = [kind for day, kind in views if day in days]
                for kind in {*MIX, *published, *viewed} if published or viewed else ():
                    scope = Scope("content_type", product.product_id, kind)
                    mix = _share(published.count(kind), len(published))
                    figures = {
                        "content_items": Figure(published.count(kind)),
                        "content_mix_share": mix,
                        "content_mix_gap": Figure(_minus(mix.value, MIX.get(kind))),
                        "content_views_share": Figure(None),
                        "content_views_gap": Figure(None),
                    }
                    if product.traffic_source == "own":
                        share = _share(viewed.count(kind), len(viewed))
                        figures["page_views"] = Figure(viewed.count(kind))
                        figures["content_views_share"] = share
                        figures["content_views_gap"] = Figure(_minus(share.value, MIX.get(kind)))
                    for kpi_id, figure in figures.items():
                        self._add(rows, scope, kpi_id, figure, period)
        return rows

    def _content_views(self, product: Product) -> list[tuple[date, str]]:
        """Day and type of every page view of something published on that day or before."""
        seen = []
        for view in self.page_views:
            if view.product_id != product.product_id:
                continue
            named = self.content.get((product.product_id, view.content_id))
            if named and named[0][0] <= view.day:
                seen.append((view.day, named[0][1]))
                continue
            on_page = [
                (day, kind)
                for (name, _), days in self.content.items()
                for day, kind, path in days
                if name == product.product_id and path == view.path
            ]
            if on_page and min(on_page)[0] <= view.day:
                seen.append((view.day, min(on_page)[1]))
        return seen

    def _market(self) -> Iterator[Market]:
        for product, day, _, row in self._landed_rows("exposure", "exposure_market", None):
            yield Market(product.product_id, day, row["channel"], int(row["market_impressions"]))

    def _told(
        self, feed: str, table: str, figures: Sequence[str]
    ) -> dict[tuple[Scope, str, date], tuple[int | None, ...]]:
        """What sources say of exactly a scope and period; None where two products' differ."""
        told: dict[tuple[Scope, str, date], list[tuple[int, ...]]] = defaultdict(list)
        for product in self.products.values():
            for path in sorted((self.folder / "data" / product.product_id / table).glob("*.csv")):
                if not self.has_landed(feed, product, date.fromisoformat(path.stem)):
                    continue
                for row in _rows(path):
                    kind = row["scope_kind"]
                    is_all = kind in ("company", "person", "team")
                    of = {"company": ALL, "product": product.product_id}.get(kind, row["scope_id"])
                    scope = Scope(kind, ALL if is_all else product.product_id, of)
                    start = date.fromisoformat(row["period_start"])
                    told[scope, row["grain"], start].append(tuple(int(row[f]) for f in figures))
        return {
            key: tuple(
                column[0] if len(set(column)) == 1 else None for column in zip(*rows, strict=True)
            )
            for key, rows in told.items()
        }

    def _sign_ups(self) -> dict[tuple[str, str], SignUp]:
        """By product and user: the earliest sign-up."""
        found = []
        for product, day, at, row in self._landed_rows("user_growth", "users", "signed_up_at"):
            if not self._is_excluded("user", row["user_id"], product):
                found.append((at, product.product_id, day, row))
        first: dict[tuple[str, str], SignUp] = {}
        for at, product_id, day, row in sorted(found, key=lambda f: (f[0], f[1])):
            first.setdefault(
                (product_id, row["user_id"]),
                SignUp(
                    product_id,
                    day,
                    row["user_id"],
                    row["channel"] or NOT_SET,
                    row["campaign"] or NOT_SET,
                    at,
                    row["invited_by"] != "",
                ),
            )
        return first

    def _excluded_sign_ups(self) -> Iterator[tuple[str, date]]:
        """Product and day of each user's sign-up of the day that is left out."""
        found = set()
        for product, day, _, row in self._landed_rows("user_growth", "users", "signed_up_at"):
            if self._is_excluded("user", row["user_id"], product):
                found.add((product.product_id, day, row["user_id"]))
        for product_id, day, _ in found:
            yield product_id, day

    @cached_property
    def excluded_sign_ups(self) -> list[tuple[str, date]]:
        return list(self._excluded_sign_ups())

    @cached_property
    def activations_on(self) -> dict[date, list[tuple[str, str, datetime]]]:
        found: dict[date, list[tuple[str, str, datetime]]] = defaultdict(list)
        for product_id, user, day, at in self._activations():
            found[day].append((product_id, user, at))
        return found

    def _kinds(self, mark: str) -> set[str]:
        return {r["kind"] for r in self._table("activity_kinds") if r[mark] == "true"}

    def _activations(self) -> Iterator[tuple[str, str, date, datetime]]:
        """Product, user, day and time of what counts as activation."""
        for product, day, at, row in self._landed_rows("user_growth", "activity", "occurred_at"):
            assert at is not None
            if row["kind"] in self._kinds("is_activation"):
                yield product.product_id, row["user_id"], day, at

    def _active(self) -> Iterator[Active]:
        counts = self._kinds("is_active")
        found = sorted(
            self._landed_rows("user_growth", "activity", "occurred_at"), key=lambda f: str(f[2])
        )
        seen: set[tuple[str, date, str]] = set()
        days: dict[tuple[str, date, str], None] = {}
        for product, day, _, row in found:
            event = (product.product_id, day, row["event_id"])
            if event in seen:
                continue
            seen.add(event)
            if row["kind"] in counts and not self._is_excluded("user", row["user_id"], product):
                days[product.product_id, day, row["user_id"]] = None
        for product_id, day, user in days:
            signed = self.sign_ups.get((product_id, user))
            yield Active(
                product_id,
                day,
                user,
                signed.channel if signed else NOT_SET,
                signed.campaign if signed else NOT_SET,
            )

    def _invitations(self) -> Iterator[tuple[str, date, str, str]]:
        """Product, day, user and inviter."""
        for product, day, _, row in self._landed_rows("user_growth", "users", "signed_up_at"):
            if row["invited_by"] and not self._is_excluded("user", row["user_id"], product):
                yield product.product_id, day, row["user_id"], row["invited_by"]

    def _transactions(self) -> Iterator[Transaction]:
        kinds = {r["kind"]: r for r in self._table("activity_kinds")}
        found = sorted(
            self._landed_rows("user_growth", "activity", "occurred_at"), key=lambda f: str(f[2])
        )
        seen: set[tuple[str, date, str]] = set()
        for product, day, _, row in found:
            event = (product.product_id, day, row["event_id"])
            if event in seen:
                continue
            seen.add(event)
            kind = kinds.get(row["kind"])
            if kind is None or self._is_excluded("user", row["user_id"], product):
                continue
            if kind["is_order"] == "true" or kind["points"]:
                signed = self.sign_ups.get((product.product_id, row["user_id"]))
                yield Transaction(
                    product.product_id,
                    day,
                    row["user_id"],
                    signed.channel if signed else NOT_SET,
                    signed.campaign if signed else NOT_SET,
                    kind["is_order"] == "true",
                    kind["points"],
                    _number(row["value"]),
                    row["currency"] or product.currency,
                )

    # -- periods --------------------------------------------------------------------------------

    def period_of(self, grain: str, day: date) -> Period:
        """The period that holds a day."""
        if grain == "day":
            return Period(grain, day, day + DAY)
        if grain == "week":
            start = day - DAY * ((day.weekday() - self.week_start) % 7)
            return Period(grain, start, start + 7 * DAY)
        months = 1 if grain == "month" else 3
        start = day.replace(day=1)
        while (start.month - self.fiscal_start) % months:
            start = (start - DAY).replace(day=1)
        return Period(grain, start, _months_later(start, months))

    def preceding(self, period: Period) -> Period:
        return self.period_of(period.grain, period.start - DAY)

    def compared(self, period: Period) -> Period:
        """The previous period; for a day the same weekday one week before."""
        if period.grain == "day":
            return self.period_of("day", period.start - 7 * DAY)
        return self.preceding(period)

    def last_year(self, period: Period) -> Period:
        if period.grain in ("day", "week"):
            return self.period_of(period.grain, period.start - 364 * DAY)
        return self.period_of(period.grain, period.start.replace(year=period.start.year - 1))

    # -- scopes ---------------------------------------------------------------------------------

    def _ownership(self) -> Iterator[Owned]:
        people = {row["person_id"]: row for row in self._table("people")}
        for row in self._table("ownership"):
            person = people[row["person_id"]]
            since = max(_date(row["valid_from"]), _date(person["valid_from"]))
            until = min(_date(row["valid_to"]), _date(person["valid_to"]))
            if row["what"] == "product":
                products = [row["which"]]
            else:
                products = [row["product_id"]] if row["product_id"] else list(self.products)
            for product in products:
                for kind, scope_id in (("person", row["person_id"]), ("team", person["team"])):
                    if scope_id and since < until:
                        yield Owned(
                            kind, scope_id, row["what"], row["which"], product, since, until
                        )

    def owned_on(self, scope: Scope, day: date, family: str) -> list[Owned]:
        """What a person or team owns on a day; page prefixes are about page views and visits."""
        return [
            o
            for o in self.owned
            if (o.kind, o.scope_id) == (scope.kind, scope.scope_id)
            and o.since <= day < o.until
            and (o.what != "page_prefix" or family == "visits")
        ]

    def products_on(self, scope: Scope, day: date, family: str) -> list[Product]:
        """Products a scope is about on a day, each from its own start."""
        if scope.kind in ("person", "team"):
            names = {o.product_id for o in self.owned_on(scope, day, family)}
        elif scope.product_id == ALL:
            names = set(self.products)
        else:
            names = {scope.product_id}
        return [p for n, p in self.products.items() if n in names and p.started_on <= day]

    def _holds(
        self,
        scope: Scope,
        family: str,
        product_id: str,
        day: date,
        channel: str,
        campaign: str,
        path: str | None = None,
        device: str | None = None,
        placement: str | None = None,
    ) -> bool:
        if scope.product_id not in (ALL, product_id):
            return False
        if scope.kind in SPARSE:
            names = {"campaign": campaign, "device": device, "placement": placement}
            return scope.scope_id == names[scope.kind]
        if scope.kind in ("company", "product"):
            return True
        if scope.kind == "channel":
            return channel == scope.scope_id
        if scope.kind == "campaign":
            return campaign == scope.scope_id
        return any(
            o.what == "product"
            or (o.what == "channel" and o.which == channel)
            or (o.what == "campaign" and o.which == campaign)
            or (o.what == "page_prefix" and path is not None and holds(o.which, path))
            for o in self.owned_on(scope, day, family)
            if o.product_id == product_id
        )

    def scopes(self, family: str) -> Iterator[tuple[Scope, date]]:
        """Every scope of a family of KPIs with the day from which it has rows."""
        if family == "lifecycle":
            for scope, day in self.scopes("users"):
                if scope.kind in ("company", "product"):
                    yield scope, day
            return
        if family == "economics":
            earliest: dict[Scope, date] = {}
            for part in ("exposure", "visits", "revenue"):
                for scope, day in self.scopes(part):
                    earliest[scope] = min(day, earliest.get(scope, day))
            yield from earliest.items()
            return
        feeds = {"exposure": ("exposure",), "visits": ("visits", "traffic")}.get(
            family, ("user_growth",)
        )
        products = [p for p in self.products.values() if any(p.has(f) for f in feeds)]
        if not products:
            return
        yield Scope("company", ALL, ALL), min(p.started_on for p in products)
        for product in products:
            yield Scope("product", product.product_id, product.product_id), product.started_on
        seen: dict[Scope, date] = {}
        for product_id, channel, day in self._channel_days(family):
            for scope in (Scope("channel", product_id, channel), Scope("channel", ALL, channel)):
                seen[scope] = min(day, seen.get(scope, day))
        yield from seen.items()
        if family == "users":
            users = [*self.sign_ups.values(), *self.active]
            for name, campaign in sorted({(u.product_id, u.campaign) for u in users}):
                yield Scope("campaign", name, campaign), self.first
        named = {p.product_id for p in products}
        for kind, scope_id in sorted({(o.kind, o.scope_id) for o in self.owned}):
            scope = Scope(kind, ALL, scope_id)
            for day in self.days:
                if any(p.product_id in named for p in self.products_on(scope, day, family)):
                    yield scope, day
                    break

    def _channel_days(self, family: str) -> Iterable[tuple[str, str, date]]:
        found: dict[
            str, list[Iterable[Visit | Traffic | Shown | SignUp | Active | Transaction]]
        ] = {
            "exposure": [self.shown],
            "visits": [self.visits, self.traffic],
            "users": [self.sign_ups.values(), self.active],
            "revenue": [self.sign_ups.values(), self.transactions],
        }
        return {(x.product_id, x.channel, x.day) for rows in found[family] for x in rows}

    def changed_on(self, scope: Scope) -> set[date]:
        """Days on which a person or team owns something else than the day before; the day on which
        it first owns anything changes nothing, as there is no before."""
        if scope.kind not in ("person", "team"):
            return set()
        edges = {o.since for o in self.owned} | {o.until for o in self.owned} - {NEVER}

        def owned(day: date) -> set[tuple[str, str, str]]:
            return {(o.what, o.which, o.product_id) for o in self.owned_on(scope, day, "visits")}

        changes = sorted(day for day in edges if owned(day) != owned(day - DAY))
        return set(changes[1:])

    # -- money ----------------------------------------------------------------------------------

    def money(self, scope: Scope, amount: float | None, currency: str, day: date) -> float | None:
        """An amount in the currency of a scope, by the rates of its day."""
        wanted = self.currency
        if scope.product_id != ALL:
            wanted = self.products[scope.product_id].currency
        if amount is None or currency == wanted:
            return amount
        paid, asked = self._rate(currency, day), self._rate(wanted, day)
        return None if paid is None or asked is None else amount * paid / asked

    def _rate(self, currency: str, day: date) -> float | None:
        if currency == self.currency:
            return 1.0
        valid = [(since, rate) for name, since, rate in self._rates if name == currency]
        return max([v for v in valid if v[0] <= day], default=(None, None))[1]

    @cached_property
    def _rates(self) -> list[tuple[str, date, float]]:
        return [
            (r["currency"], date.fromisoformat(r["valid_from"]), float(r["rate"]))
            for r in self._table("exchange_rates")
        ]

    # -- completeness ---------------------------------------------------------------------------

    def landed_days(self, scope: Scope, family: str, feed: str, days: Iterable[date]) -> int:
        """Days on which the feed of at least one of the scope's products landed."""
        return sum(self._day_state(scope, family, feed, day)[1] for day in days)

    def _day_state(
        self, scope: Scope, family: str, feed: str, day: date
    ) -> tuple[bool, bool, bool]:
        """Whether anything is expected on a day, whether some of it landed, whether all did."""
        key = (scope, family, feed, day)
        if key not in self._states:
            landed = [
                self.has_landed(feed, p, day)
                for p in self.products_on(scope, day, self._owned_as(family, feed))
                if p.has(feed) and self.first <= day <= self.last
            ]
            self._states[key] = (bool(landed), any(landed), all(landed))
        return self._states[key]

    def _owned_as(self, family: str, feed: str) -> str:
        return _FAMILY_OF[feed] if family == "economics" else family

    @cached_property
    def _states(self) -> dict[tuple[Scope, str, str, date], tuple[bool, bool, bool]]:
        return {}

    def first_day(self, scope: Scope, family: str, feed: str) -> date | None:
        """The first day on which the scope has the feed."""
        return next((d for d in self.days if self._day_state(scope, family, feed, d)[0]), None)

    def is_history_unknown(self, scope: Scope, family: str, feed: str, start: date) -> bool:
        """Whether the scope had the feed before the first slice there is of anything."""
        return start == self.first and any(
            p.has(feed) for p in self.products_on(scope, start - DAY, self._owned_as(family, feed))
        )

    def because(
        self,
        scope: Scope,
        family: str,
        feeds: Sequence[str],
        window_start: date,
        as_of: date,
        period: Period,
    ) -> str | None:
        """Why a value is not complete; the first reason that holds."""
        if any(
            not self._day_state(scope, family, feed, day)[2]
            for feed in feeds
            for day in _days(window_start, as_of)
        ):
            return "absent_days"
        starts = {feed: self.first_day(scope, family, feed) for feed in feeds}
        late = {f: start for f, start in starts.items() if start and window_start < start}
        if any(self.is_history_unknown(scope, family, feed, start) for feed, start in late.items()):
            return "absent_days"
        if late:
            return "before_start"
        return "period_open" if as_of < period.last_day else None

    # -- results --------------------------------------------------------------------------------

    def values(self) -> dict[Key, Value]:
        """Every row of fct_kpi_values."""
        sparse = {"campaign"}
        rows: dict[Key, Value] = {}
        for family, counted in (
            ("exposure", _Exposure),
            ("visits", _Visits),
            ("users", _Users),
            ("revenue", _Revenue),
            ("economics", _Economics),
            ("lifecycle", _Lifecycle),
        ):
            for scope, exists_from in self.scopes(family):
                figures = counted(self, scope)
                changes = self.changed_on(scope)
                for period, as_of in self._rows_of(scope, family, exists_from):
                    days = [d for d in self.days if period.start <= d <= as_of]
                    if scope.kind in sparse and as_of != period.last_day:
                        continue
                    is_changed = any(
                        self.compared(period).start < day < period.end for day in changes
                    )
                    found = figures.of(period, days)
                    if scope.kind in sparse:
                        found = _of_sparse(found)
                    for kpi_id, figure in found.items():
                        value = self._valued(scope, kpi_id, figure, period, as_of, is_changed)
                        if value is not None:
                            rows[(kpi_id, scope.product_id, scope.kind, scope.scope_id,
                                  period.grain, period.start, as_of)] = value  # fmt: skip
            if family == "exposure":
                rows |= self._sparse_exposure()
            if family == "users":
                rows |= self._content_values()
            if family == "visits":
                rows |= self._sparse_values()
                rows |= self._page_values()
            if family in ("revenue", "economics"):
                rows |= self._campaigns_of(_Revenue if family == "revenue" else _Economics)
        return rows

    def _sparse_values(self) -> dict[Key, Value]:
        """Campaigns and devices: periods that are over and in which they were seen."""
        rows: dict[Key, Value] = {}
        named = {("campaign", x.product_id, x.campaign) for x in (*self.visits, *self.traffic)}
        named |= {("device", x.product_id, x.device) for x in (*self.visits, *self.traffic)}
        for kind, product_id, name in sorted(named):
            scope = Scope(kind, product_id, name)
            figures = _Visits(self, scope)
            for period, days in self._periods_over():
                if not figures.is_seen_in(days):
                    continue
                for kpi_id, figure in figures.of(period, days).items():
                    if kpi_id in _OF_CAMPAIGNS:
                        self._add(rows, scope, kpi_id, figure, period)
        return rows

    def _sparse_exposure(self) -> dict[Key, Value]:
        """Campaigns and placements: periods that are over and in which they were shown."""
        rows: dict[Key, Value] = {}
        named = {("campaign", x.product_id, x.campaign) for x in self.shown}
        named |= {("placement", x.product_id, x.placement) for x in self.shown}
        for scope in (Scope(*name) for name in sorted(named)):
            figures = _Exposure(self, scope)
            for period, days in self._periods_over():
                if figures.is_seen_in(days):
                    found = figures.of(period, days)
                    del found["share_of_voice"]
                    for kpi_id, figure in found.items():
                        self._add(rows, scope, kpi_id, figure, period)
        return rows

    def _campaigns_of(self, counted: type[_Revenue | _Economics]) -> dict[Key, Value]:
        """Campaigns: periods that are over and in which there was anything of them."""
        rows: dict[Key, Value] = {}
        found = (
            *self.sign_ups.values(), *self.active, *self.transactions,
            *self.shown, *self.visits, *self.traffic,
        )  # fmt: skip
        for product_id, campaign in sorted({(x.product_id, x.campaign) for x in found}):
            scope = Scope("campaign", product_id, campaign)
            figures = counted(self, scope)
            for period, days in self._periods_over():
                if figures.is_seen_in(days):
                    for kpi_id, figure in figures.of(period, days).items():
                        self._add(rows, scope, kpi_id, figure, period)
        return rows

    def _page_values(self) -> dict[Key, Value]:
        """Pages, owned prefixes as `/a/*`; the small company has too few pages for others."""
        rows: dict[Key, Value] = {}
        for product in self.products.values():
            if product.traffic_source != "own":
                continue
            views = _ByDay(v for v in self.page_views if v.product_id == product.product_id)
            visits = _ByDay(v for v in self.visits if v.product_id == product.product_id)
            prefixes = {
                o.which
                for o in self.owned
                if o.what == "page_prefix" and o.product_id == product.product_id
            }
            for period, days in self._periods_over():
                found = views.on(days)
                pages = {v.path: {v.path} for v in found}
                for prefix in prefixes:
                    if paths := {path for path in pages if holds(prefix, path)}:
                        pages[f"{prefix}/*"] = paths
                for page, paths in pages.items():
                    seen = [v for v in found if v.path in paths]
                    entered = [v for v in visits.on(days) if v.pages[0].path in paths]
                    bounces = sum(len(v.pages) == 1 for v in entered)
                    scope = Scope("page", product.product_id, page)
                    for kpi_id, figure in {
                        "page_views": Figure(len(seen)),
                        "unique_visitors": Figure(len({v.visitor for v in seen})),
                        "entries": Figure(len(entered)),
                        "bounce_rate": Figure(_ratio(bounces, len(entered)), bounces, len(entered)),
                    }.items():
                        self._add(rows, scope, kpi_id, figure, period)
        return rows

    def _periods_over(self) -> list[tuple[Period, list[date]]]:
        return [
            (period, [d for d in self.days if period.start <= d <= day])
            for day in self.days
            for grain in ("day", "week", "month", "quarter")
            if (period := self.period_of(grain, day)).last_day == day
        ]

    def _add(
        self,
        rows: dict[Key, Value],
        scope: Scope,
        kpi_id: str,
        figure: Figure,
        period: Period,
    ) -> None:
        """What a product's days say of completeness holds for its campaigns, devices and pages."""
        judged = Scope("product", scope.product_id, scope.product_id)
        value = self._valued(judged, kpi_id, figure, period, period.last_day, is_changed=False)
        if value is not None:
            rows[(kpi_id, scope.product_id, scope.kind, scope.scope_id,
                  period.grain, period.start, period.last_day)] = value  # fmt: skip

    def _rows_of(
        self, scope: Scope, family: str, exists_from: date
    ) -> Iterator[tuple[Period, date]]:
        """A row per period on its last day; months and quarters have one per elapsed day."""
        for as_of in self.days:
            for grain in ("day", "week", "month", "quarter"):
                period = self.period_of(grain, as_of)
                if as_of < exists_from or (grain in ("day", "week") and as_of != period.last_day):
                    continue
                owned = "visits" if family == "economics" else family
                if scope.kind in ("person", "team") and not any(
                    self.owned_on(scope, day, owned) for day in _days(period.start, as_of)
                ):
                    continue
                yield period, as_of

    def _valued(
        self,
        scope: Scope,
        kpi_id: str,
        figure: Figure,
        period: Period,
        as_of: date,
        is_changed: bool,
    ) -> Value | None:
        family, needed, window = _KPIS[kpi_id]
        if kpi_id in _NOT_OWNED and scope.kind in ("person", "team"):
            return None
        if kpi_id in _OF_PRODUCTS and scope.kind not in ("company", "product"):
            return None
        feeds = [f for f in needed if self.first_day(scope, family, f) is not None]
        if family == "economics":
            feeds = [
                feed
                for feed in feeds
                if any(
                    self._day_state(scope, family, feed, day)[0]
                    for day in _days(period.start, as_of)
                )
            ]
        if not feeds:
            return None
        start = {
            "period": period.start,
            "7": as_of - 6 * DAY,
            "28": as_of - 27 * DAY,
            "with_preceding": self.preceding(period).start,
        }.get(window, period.start)
        # cumulative and trailing KPIs keep what is known so far
        known_from = {"7": start, "28": start}.get(window, period.start)
        if kpi_id == "total_users" or kpi_id in _LABELS:
            known_from = self.first
        known = _days(known_from, as_of)
        if min(self.landed_days(scope, family, f, known) for f in feeds) == 0:
            figure = Figure(None)
        because = self.because(scope, family, feeds, start, as_of, period)
        if window in _OBSERVED and as_of == period.last_day:
            because = self._because_of_observation(scope, period, window, because)
        return Value(*figure, because is None, is_changed, because)

    def _because_of_observation(
        self, scope: Scope, period: Period, window: str, because: str | None
    ) -> str | None:
        """The reason of a value for which users are observed after the period."""
        first, last = (timedelta(days=n) for n in _OBSERVED[window])
        observed = _days(period.start + first, period.last_day + last)
        days = [d for d in observed if d <= self.last]
        states = [self._day_state(scope, "users", "user_growth", day) for day in days]
        if not all(state[2] for state in states):
            return "absent_days"
        if because is None and observed[-1] > self.last:
            return "period_open"
        return because

    def statuses(self, values: Mapping[Key, Value]) -> dict[Key, Status]:
        """Every row of fct_kpi_status."""
        targets = {
            (
                r["kpi_id"],
                r["product_id"] or ALL,
                r["scope_kind"],
                r["scope_id"],
                r["grain"],
                date.fromisoformat(r["period_start"]),
            ): float(r["value"])
            for r in self._table("targets")
        }
        rows = {}
        changes: dict[Scope, set[date]] = {}
        for key, found in values.items():
            grain, start, as_of = key[4:]
            if key[2] in (*SPARSE, "page", "content_type"):
                continue
            period = self.period_of(grain, start)
            target = targets.get(key[:6])
            is_whole = found.incomplete_because in (None, "period_open")
            is_judged = is_whole and not found.scope_changed
            scope = Scope(key[2], key[1], key[3])
            if scope not in changes:
                changes[scope] = self.changed_on(scope)
            before: list[float | None] = []
            for other in (self.compared(period), self.last_year(period)):
                is_same = not any(other.start < day < period.end for day in changes[scope])
                before.append(
                    self._to_as_many_days(values, key, period, other, as_of)
                    if is_judged and is_same
                    else None
                )
            rows[key] = Status(
                found.value,
                found.is_complete,
                before[0],
                _minus(found.value, before[0]),
                _ratio(_minus(found.value, before[0]), _size(before[0])),
                before[1],
                _minus(found.value, before[1]),
                target,
                _ratio(found.value, target) if is_judged else None,
            )
        return rows

    def _to_as_many_days(
        self, values: Mapping[Key, Value], key: Key, period: Period, other: Period, as_of: date
    ) -> float | None:
        """The other period's value: whole beside a whole one, else to as many elapsed days."""
        other_as_of = min(other.start + (as_of - period.start), other.last_day)
        if as_of == period.last_day:
            other_as_of = other.last_day
        found = values.get((*key[:5], other.start, other_as_of))
        if found is None or found.incomplete_because not in (None, "period_open"):
            return None
        return found.value


def _of_sparse(found: dict[str, Figure]) -> dict[str, Figure]:
    """Campaigns have a row where there is something: somebody signed up, or was active."""
    if not found["sign_ups"].value:
        matures = {"d1_retention", "d7_retention", "d30_retention", "activation_rate"}
        found = {name: figure for name, figure in found.items() if name not in matures}
        if not found["active_users"].value:
            return {}
    return found


class _ByDay(Generic[Dated]):
    """Rows found by their day."""

    def __init__(self, rows: Iterable[Dated]) -> None:
        self.rows: dict[date, list[Dated]] = defaultdict(list)
        for row in rows:
            self.rows[row.day].append(row)

    def on(self, days: Iterable[date]) -> list[Dated]:
        return [row for day in days for row in self.rows.get(day, ())]


class _Exposure:
    def __init__(self, reference: Reference, scope: Scope) -> None:
        self.reference = reference
        self.scope = scope
        self.shown = _ByDay(
            s
            for s in reference.shown
            if reference._holds(
                scope,
                "exposure",
                s.product_id,
                s.day,
                s.channel,
                s.campaign,
                placement=s.placement,
            )
        )
        # a market is of whole channels: of no campaign and no placement
        self.market = _ByDay(
            m
            for m in reference.market
            if scope.kind not in SPARSE
            and reference._holds(scope, "exposure", m.product_id, m.day, m.channel, "")
        )
        self.all_shown = _ByDay(reference.shown)

    def of(self, period: Period, days: list[date]) -> dict[str, Figure]:
        rows = self.shown.on(days)
        paid = [s for s in rows if s.cost is not None]
        impressions = sum(s.impressions for s in rows)
        clicks = sum(s.clicks for s in rows)
        paid_impressions = sum(s.impressions for s in paid)
        paid_clicks = sum(s.clicks for s in paid)
        costs = [self.reference.money(self.scope, s.cost, s.currency, s.day) for s in paid]
        cost = None if None in costs or (rows and not paid) else sum(c for c in costs if c)
        cpm = _ratio(cost, paid_impressions)
        is_over = days[-1] == period.last_day
        reach = self._reach(period.grain, period.start, days) if is_over else None
        each = [self._reach("day", day, [day]) for day in days]
        known = [r for r in each if r is not None]
        has_mean = reach is None and known
        mean = _share(sum(known), len(known)) if has_mean else Figure(None)
        market = self.market.on(days)
        own = sum(
            s.impressions
            for s in self.all_shown.on(days)
            if (s.product_id, s.day, s.channel)
            in {(m.product_id, m.day, m.channel) for m in market}
        )
        voices = own + sum(m.impressions for m in market) if market else None
        return {
            "impressions_with_cost_share": _share(paid_impressions, impressions),
            "reach": Figure(reach),
            "reach_daily_mean": mean,
            "frequency": Figure(_ratio(impressions, reach), impressions, reach),
            "share_of_voice": Figure(
                _ratio(own, voices) if market else None, own if market else None, voices
            ),
            "impressions": Figure(impressions),
            "clicks": Figure(clicks),
            "ctr": Figure(_ratio(clicks, impressions), clicks, impressions),
            "cost": Figure(cost),
            "cpm": Figure(None if cpm is None else 1000 * cpm, cost, paid_impressions),
            "cpc": Figure(_ratio(cost, paid_clicks), cost, paid_clicks),
        }

    def _reach(self, grain: str, start: date, days: list[date]) -> int | None:
        told = self.reference.reach.get((self.scope, grain, start), (None,))[0]
        rows = self.shown.on(days)
        if told is None and grain == "day" and len(rows) == 1:
            return rows[0].reach
        return told

    def is_seen_in(self, days: list[date]) -> bool:
        return bool(self.shown.on(days))


class _Visits:
    def __init__(self, reference: Reference, scope: Scope) -> None:
        self.reference = reference
        self.scope = scope

        def holds_it(x: Visit | Traffic, path: str | None = None) -> bool:
            return reference._holds(
                scope, "visits", x.product_id, x.day, x.channel, x.campaign, path, x.device
            )

        self.visits = _ByDay(v for v in reference.visits if holds_it(v, v.pages[0].path))
        self.pages = _ByDay(p for v in reference.visits for p in v.pages if holds_it(v, p.path))
        self.traffic = _ByDay(t for t in reference.traffic if holds_it(t))
        self.excluded = reference.excluded_views
        if scope.kind in ("person", "team"):
            named = {
                o.product_id
                for o in reference.owned
                if (o.kind, o.scope_id) == (scope.kind, scope.scope_id)
            }
        else:
            named = set(reference.products) if scope.product_id == ALL else {scope.product_id}
        self.named = named
        products = [reference.products[name] for name in named]
        self.has_backend = any(p.traffic_source == "backend" for p in products)
        self.started_on = min(p.started_on for p in products)
        self.first_days: dict[str, date] = {}
        for view in reference.page_views:
            who = self._visitor(view)
            self.first_days[who] = min(view.day, self.first_days.get(who, view.day))

    def _visitor(self, view: PageView) -> str:
        if self.scope.product_id == ALL:
            return f"{self.reference.products[view.product_id].space}:{view.visitor}"
        return f"{view.product_id}:{view.visitor}"

    def of(self, period: Period, days: list[date]) -> dict[str, Figure]:
        reference = self.reference
        products = reference.products
        visits = self.visits.on(days)
        traffic = self.traffic.on(days)
        own = [v for v in visits if products[v.product_id].traffic_source == "own"]
        reported = [t for t in traffic if products[t.product_id].traffic_source == "backend"]
        pages = [p for p in self.pages.on(days) if products[p.product_id].traffic_source == "own"]
        count = len(own) + sum(t.visits for t in reported)
        views = len(pages) + sum(t.page_views for t in reported)
        bounces = sum(len(v.pages) == 1 for v in own) + sum(t.bounces for t in reported)
        seconds = sum(v.seconds for v in own) + sum(t.seconds for t in reported)
        visitors = {self._visitor(p) for p in pages}
        uniques: int | None = len(visitors)
        newcomers: int | None = sum(self.first_days[who] >= period.start for who in visitors)
        mean = Figure(None)
        if self.has_backend:
            is_over = days[-1] == period.last_day
            told = reference.uniques.get((self.scope, period.grain, period.start))
            uniques, newcomers = told if told and is_over else (None, None)
            daily = [reference.uniques.get((self.scope, "day", day), (None,))[0] for day in days]
            known = [v for v in daily if v is not None]
            if uniques is None and known:
                mean = _share(sum(known), len(known))
        is_young = period.start < self.started_on + 28 * DAY
        if is_young:
            newcomers = None
        compared = [v for v in visits if self._both_landed(v)]
        compared_reported = sum(t.visits for t in traffic if self._both_landed(t))
        gap = compared_reported - len(compared)
        return {
            "page_views": Figure(views),
            "unique_visitors": Figure(uniques),
            "daily_visitors_mean": mean,
            "visits": Figure(count),
            "new_visitor_share": Figure(_ratio(newcomers, uniques), newcomers, uniques),
            "bounce_rate": Figure(_ratio(bounces, count), bounces, count),
            "pages_per_visit": Figure(_ratio(views, count), views, count),
            "average_visit_duration_seconds": Figure(_ratio(seconds, count), seconds, count),
            "reported_visits": Figure(sum(t.visits for t in traffic)),
            "reported_page_views": Figure(sum(t.page_views for t in traffic)),
            "visits_gap": Figure(_ratio(gap, len(compared)), gap, len(compared)),
            "excluded_page_views": Figure(
                sum(self.excluded[product, day] for product in self.named for day in days)
            ),
        }

    def is_seen_in(self, days: list[date]) -> bool:
        """Whether the feed the product's visits come from has something."""
        source = {p: self.reference.products[p].traffic_source for p in self.named}
        return any(source[v.product_id] == "own" for v in self.visits.on(days)) or any(
            source[t.product_id] == "backend" for t in self.traffic.on(days)
        )

    def _both_landed(self, x: Visit | Traffic) -> bool:
        product = self.reference.products[x.product_id]
        return all(
            self.reference.has_landed(feed, product, x.day) for feed in ("page_views", "traffic")
        )


class _Users:
    def __init__(self, reference: Reference, scope: Scope) -> None:
        self.reference = reference
        self.scope = scope
        self.first_sign_ups: dict[str, SignUp] = {}
        for s in sorted(reference.sign_ups.values(), key=lambda s: (s.day, s.at, s.product_id)):
            if reference._holds(scope, "users", s.product_id, s.day, s.channel, s.campaign):
                self.first_sign_ups.setdefault(self._user(s), s)
        self.signed_up = {who: s.day for who, s in self.first_sign_ups.items()}
        # wherever in the product, or in the identity space, is what retention looks at
        self.active_anywhere: dict[date, set[str]] = defaultdict(set)
        for a in reference.active:
            self.active_anywhere[a.day].add(self._user(a))
        self.active: dict[date, set[str]] = defaultdict(set)
        self.first_days: dict[str, date] = {}
        for a in reference.active:
            who = self._user(a)
            self.first_days[who] = min(a.day, self.first_days.get(who, a.day))
            if reference._holds(scope, "users", a.product_id, a.day, a.channel, a.campaign):
                self.active[a.day].add(who)

    def _user(self, x: SignUp | Active) -> str:
        if self.scope.product_id == ALL:
            return f"{self.reference.products[x.product_id].space}:{x.user}"
        return f"{x.product_id}:{x.user}"

    def is_seen_in(self, days: list[date]) -> bool:
        """Whether somebody signed up or was active."""
        return bool(self._active_in(days)) or any(day in days for day in self.signed_up.values())

    def _active_in(self, days: Iterable[date]) -> set[str]:
        return set().union(*(self.active.get(day, set()) for day in days))

    def _landed(self, days: Iterable[date]) -> int:
        return self.reference.landed_days(self.scope, "users", "user_growth", days)

    def of(self, period: Period, days: list[date]) -> dict[str, Figure]:
        as_of = days[-1]
        sign_ups = sum(period.start <= day <= as_of for day in self.signed_up.values())
        total = sum(day <= as_of for day in self.signed_up.values())
        before = total - sign_ups
        user_days = sum(len(self.active.get(day, ())) for day in days)
        landed = self._landed(days)
        now = self._active_in(days)
        last_28 = _days(as_of - 27 * DAY, as_of)
        start = self.reference.first_day(self.scope, "users", "user_growth")
        had = (as_of - start).days + 1 if start else 0
        wau = len(self._active_in(_days(as_of - 6 * DAY, as_of))) if had >= 7 else None
        mau = len(self._active_in(last_28)) if had >= 28 else None
        daily = _ratio(sum(len(self.active.get(d, ())) for d in last_28), self._landed(last_28))
        figures = {
            "sign_ups": Figure(sign_ups),
            "total_users": Figure(total),
            "user_growth_rate": Figure(_ratio(sign_ups, before), sign_ups, before),
            "active_users": Figure(len(now)),
            "dau": Figure(_ratio(user_days, landed), user_days, landed),
            "wau": Figure(wau),
            "mau": Figure(mau),
            "stickiness": Figure(_ratio(daily, mau), daily, mau),
        }
        figures |= self._of_sign_ups(period, as_of)
        preceding = self.reference.preceding(period)
        preceding_days = _days(preceding.start, preceding.last_day)
        if self._landed(preceding_days) == 0:
            names = ("new_active", "retained", "resurrected", "churned")
            unknown = {f"{name}_users": Figure(None) for name in names}
            ratios = ("quick_ratio", "active_growth_rate", "retention_rate", "churn_rate")
            return figures | unknown | dict.fromkeys(ratios, Figure(None))
        earlier = self._active_in(preceding_days)
        new = {who for who in now if self.first_days[who] >= period.start}
        resurrected = now - new - earlier
        gained, churned = len(new) + len(resurrected), len(earlier - now)
        return figures | {
            "new_active_users": Figure(len(new)),
            "retained_users": Figure(len(now & earlier)),
            "resurrected_users": Figure(len(resurrected)),
            "churned_users": Figure(churned),
            "quick_ratio": Figure(_ratio(gained, churned), gained, churned),
            "active_growth_rate": _share(len(now) - len(earlier), len(earlier)),
            "retention_rate": _share(len(now & earlier), len(earlier)),
            "churn_rate": _share(churned, len(earlier)),
        }

    def _of_sign_ups(self, period: Period, as_of: date) -> dict[str, Figure]:
        """Of the period's sign-ups: invited, excluded, and what became of them."""
        reference = self.reference
        whos = {w: s for w, s in self.first_sign_ups.items() if period.start <= s.day <= as_of}
        excluded = sum(
            self.scope.product_id in (ALL, product_id) and period.start <= day <= as_of
            for product_id, day in reference.excluded_sign_ups
        )
        figures = {
            "invited_sign_ups": Figure(sum(s.is_invited for s in whos.values())),
            "excluded_sign_ups": Figure(excluded),
        }
        for name, (first, last) in _OBSERVED.items():
            kpi_id = "activation_rate" if name == "within_7" else f"{name}_retention"
            if as_of < period.last_day or as_of + last * DAY > reference.last:
                figures[kpi_id] = Figure(None)
                continue
            observed, kept = 0, 0
            for who, s in whos.items():
                days = _days(s.day + first * DAY, s.day + last * DAY)
                product = reference.products[s.product_id]
                if all(reference.has_landed("user_growth", product, day) for day in days):
                    observed += 1
                    if name == "within_7":
                        kept += any(
                            (s.product_id, s.user) == (product_id, user) and s.at <= at
                            for day in days
                            for product_id, user, at in reference.activations_on.get(day, ())
                        )
                    else:
                        kept += who in self.active_anywhere.get(days[0], ())
            figures[kpi_id] = _share(kept, observed)
        return figures


def _share(part: float, whole: float) -> Figure:
    return Figure(_ratio(part, whole), part, whole)


class _Revenue:
    def __init__(self, reference: Reference, scope: Scope) -> None:
        self.reference = reference
        self.scope = scope
        self.transactions = _ByDay(
            t
            for t in reference.transactions
            if reference._holds(scope, "revenue", t.product_id, t.day, t.channel, t.campaign)
        )
        self.first_orders: dict[str, date] = {}
        for t in reference.transactions:
            if t.is_order:
                who = self._user(t)
                self.first_orders[who] = min(t.day, self.first_orders.get(who, t.day))
        self.users = _Users(reference, scope) if scope.kind == "campaign" else None

    def is_seen_in(self, days: list[date]) -> bool:
        """Of a campaign: whether its users did anything."""
        assert self.users is not None
        return bool(self.transactions.on(days)) or self.users.is_seen_in(days)

    def _user(self, x: Transaction) -> str:
        if self.scope.product_id == ALL:
            return f"{self.reference.products[x.product_id].space}:{x.user}"
        return f"{x.product_id}:{x.user}"

    def of(self, period: Period, days: list[date]) -> dict[str, Figure]:
        rows = self.transactions.on(days)
        orders = [t for t in rows if t.is_order]
        new = {self._user(t) for t in orders if self.first_orders[self._user(t)] == t.day}
        redeemed = [t for t in rows if t.points == "redeemed" and t.value]
        return {
            "orders": Figure(len(orders)),
            "revenue": Figure(self.revenue(orders)),
            "customers": Figure(len({self._user(t) for t in orders})),
            "new_customers": Figure(len(new)),
            "points_issued": Figure(sum(t.value or 0 for t in rows if t.points == "issued")),
            "points_redeemed": Figure(sum(t.value or 0 for t in redeemed)),
            "points_cost": Figure(_sum([self._cost_of(t) for t in redeemed])),
        }

    def revenue(self, orders: list[Transaction]) -> float | None:
        """NULL where there are orders and none has a value, or a currency has no rate."""
        valued = [t for t in orders if t.value is not None]
        if orders and not valued:
            return None
        return _sum([self._told(t.value, t.currency, t.day) for t in valued])

    def _cost_of(self, t: Transaction) -> float | None:
        product = self.reference.products[t.product_id]
        if product.point_cost is None or t.value is None:
            return None
        return self._told(t.value * product.point_cost, product.currency, t.day)

    def _told(self, amount: float | None, currency: str, day: date) -> float | None:
        return self.reference.money(self.scope, amount, currency, day)


class _Economics:
    def __init__(self, reference: Reference, scope: Scope) -> None:
        self.reference = reference
        self.scope = scope

        def rows(found: Iterable[Celled]) -> _ByDay[Celled]:
            return _ByDay(
                x
                for x in found
                if reference._holds(scope, "economics", x.product_id, x.day, x.channel, x.campaign)
            )

        self.shown = rows(reference.shown)
        self.visits = rows(reference.visits)
        self.traffic = rows(reference.traffic)
        self.transactions = rows(reference.transactions)
        self.users = _Users(reference, scope)
        self.revenue = _Revenue(reference, scope)
        self.has_row = {
            family: set(reference._rows_of(scope, family, since))
            for family in ("users", "revenue")
            for found, since in reference.scopes(family)
            if found == scope
        }
        # who signs up, and who orders for the first time, counts in one product
        self.sign_ups: dict[str, tuple[date, str]] = {}
        for s in reference.sign_ups.values():
            if reference._holds(scope, "users", s.product_id, s.day, s.channel, s.campaign):
                who, first = self.users._user(s), (s.day, s.product_id)
                self.sign_ups[who] = min(first, self.sign_ups.get(who, first))
        self.customers: dict[str, tuple[date, str]] = {}
        for t in self.transactions.on(reference.days):
            who = self.revenue._user(t)
            if t.is_order and self.revenue.first_orders[who] == t.day:
                first = (t.day, t.product_id)
                self.customers[who] = min(first, self.customers.get(who, first))

    def is_seen_in(self, days: list[date]) -> bool:
        """Of a campaign: whether it was shown or visited, or its users did anything."""
        source = {p.product_id: p.traffic_source for p in self.reference.products.values()}
        return (
            bool(self.shown.on(days))
            or any(source[v.product_id] == "own" for v in self.visits.on(days))
            or any(source[t.product_id] == "backend" for t in self.traffic.on(days))
            or self.revenue.is_seen_in(days)
        )

    def _has_row(self, family: str, period: Period, days: list[date]) -> bool:
        if self.scope.kind == "campaign":
            return (self.users if family == "users" else self.revenue).is_seen_in(days)
        return (period, days[-1]) in self.has_row.get(family, ())

    def _both(self, one: str, other: str, product_id: str, day: date) -> bool:
        product = self.reference.products[product_id]
        return all(self.reference.has_landed(feed, product, day) for feed in (one, other))

    def _cost(self, beside: str, days: list[date]) -> float | None:
        rows = [
            s for s in self.shown.on(days) if self._both("exposure", beside, s.product_id, s.day)
        ]
        paid = [s for s in rows if s.cost is not None]
        if rows and not paid:
            return None
        return _sum([self.reference.money(self.scope, s.cost, s.currency, s.day) for s in paid])

    def _visits(self, beside: str, days: list[date]) -> int:
        products = self.reference.products
        own = sum(
            products[v.product_id].traffic_source == "own"
            for v in self.visits.on(days)
            if self._both("visits", beside, v.product_id, v.day)
        )
        return own + sum(
            t.visits
            for t in self.traffic.on(days)
            if products[t.product_id].traffic_source == "backend"
            and self._both("visits", beside, t.product_id, t.day)
        )

    def _profit(self, days: list[date], beside: str | None) -> float | None:
        """Revenue times each product's margin; of all days, or of those beside another feed."""
        orders = [
            t
            for t in self.transactions.on(days)
            if t.is_order
            and (beside is None or self._both("user_growth", beside, t.product_id, t.day))
        ]
        revenue = self.revenue.revenue(orders)
        if revenue is None:
            return None
        valued = [t for t in orders if t.value is not None]
        profits = [
            _times(
                self.reference.money(self.scope, t.value, t.currency, t.day),
                self.reference.products[t.product_id].margin_share,
            )
            for t in valued
        ]
        return _sum(profits)

    def of(self, period: Period, days: list[date]) -> dict[str, Figure]:
        cost_of_visits = self._cost("visits", days)
        visits = self._visits("exposure", days)
        visits_of_users = self._visits("user_growth", days)
        signed_up = sum(
            day in days and self._both("visits", "user_growth", product, day)
            for day, product in self.sign_ups.values()
        )
        cost = self._cost("user_growth", days)
        new = sum(
            day in days and self._both("exposure", "user_growth", product, day)
            for day, product in self.customers.values()
        )
        cac = _ratio(cost, new)
        net = _minus(self._profit(days, "exposure"), cost)
        has_revenue = self._has_row("revenue", period, days)
        revenue = active = per_user = None
        ltv = None
        figures = self.users.of(period, days)
        if has_revenue:
            revenue = self.revenue.of(period, days)["revenue"].value
        if self._has_row("users", period, days):
            active = figures["active_users"].value
            if has_revenue:
                per_user = _ratio(self._profit(days, None), active)
            churned, retained = figures["churned_users"].value, figures["retained_users"].value
            if churned is not None and retained is not None and period.grain == "month":
                before = churned + retained
                if before >= LTV_SMALLEST_BASE and per_user is not None:
                    ltv = per_user * min(before / churned if churned else LTV_MONTHS, LTV_MONTHS)
        payback = None
        if period.grain == "month" and cac is not None and per_user is not None and per_user > 0:
            payback = cac / per_user
        return {
            "cost_per_visit": Figure(_ratio(cost_of_visits, visits), cost_of_visits, visits),
            "visit_to_sign_up_rate": Figure(
                _ratio(signed_up, visits_of_users), signed_up, visits_of_users
            ),
            "arpu": Figure(_ratio(revenue, active), revenue, active),
            "ltv": Figure(ltv),
            "cac": Figure(cac, cost, new),
            "payback_months": Figure(payback, cac, per_user),
            "ltv_to_cac": Figure(_ratio(ltv, cac), ltv, cac),
            "roi": Figure(_ratio(net, cost), net, cost),
        }


class _Lifecycle:
    """Labels of users of a product, or of the identity spaces of the company's products."""

    def __init__(self, reference: Reference, scope: Scope) -> None:
        self.reference = reference
        self.counts: dict[date, dict[str, int]] = {}
        spaces: dict[str, list[str]] = defaultdict(list)
        for product in reference.products.values():
            if scope.product_id == ALL:
                spaces[product.space].append(product.product_id)
            elif scope.product_id == product.product_id:
                spaces[product.product_id].append(product.product_id)
        self.populations = [_Population(reference, names) for names in spaces.values()]

    def of(self, period: Period, days: list[date]) -> dict[str, Figure]:
        as_of = days[-1]
        if as_of not in self.counts:
            found: dict[str, int] = defaultdict(int)
            for population in self.populations:
                for line_and_label in population.labels(as_of):
                    found[line_and_label] += 1
            self.counts[as_of] = found
        counts = self.counts[as_of]
        invited = sum(
            first in days
            for population in self.populations
            for first in population.invited_on.values()
        )
        core = counts["activity core"] + counts["activity key_opinion_leader"]
        figures = {kpi: Figure(counts[f"{line} {label}"]) for kpi, (line, label) in _LABELS.items()}
        figures["invitations_per_core_user"] = Figure(_ratio(invited, core), invited, core)
        figures["points_lift"] = self._lift(period, days)
        return figures

    def _lift(self, period: Period, days: list[date]) -> Figure:
        """Active days of redeemers beside the mean of others of their tier, one by one."""
        if period.grain == "day" or days[-1] < period.last_day:
            return Figure(None)
        had, peers, redeemers, others = 0.0, 0.0, 0, 0
        for population in self.populations:
            by_tier: dict[str, list[str]] = defaultdict(list)
            for user, tier in population.tiers(period.start - DAY).items():
                by_tier[tier].append(user)
            for users in by_tier.values():
                spent = {u for u in users if any(d in days for d in population.redeemed[u])}
                rest = [u for u in users if u not in spent]
                if spent and rest:
                    mean = sum(len(population.active[u] & set(days)) for u in rest) / len(rest)
                    for user in spent:
                        had += len(population.active[user] & set(days))
                        peers += mean
                    redeemers += len(spent)
                    others += len(rest)
        if min(redeemers, others) < LIFT_SMALLEST_BASE:
            return Figure(None)
        return Figure(_ratio(had - peers, peers), had - peers, peers)


class _Population:
    """People who may be the same person: of one product, or of products that share a space."""

    def __init__(self, reference: Reference, products: Sequence[str]) -> None:
        scope = Scope("product", products[0], products[0])
        if len(products) > 1:
            scope = Scope("company", ALL, ALL)
        self.active: dict[str, set[date]] = defaultdict(set)
        self.orders: dict[str, list[tuple[date, float]]] = defaultdict(list)
        self.redeemed: dict[str, set[date]] = defaultdict(set)
        self.first_seen: dict[str, date] = {}
        for a in reference.active:
            if a.product_id in products:
                self.active[a.user].add(a.day)
                self._see(a.user, a.day)
        for s in reference.sign_ups.values():
            if s.product_id in products:
                self._see(s.user, s.day)
        for t in reference.transactions:
            if t.product_id in products and t.is_order:
                value = reference.money(scope, t.value, t.currency, t.day)
                self.orders[t.user].append((t.day, value or 0.0))
                self._see(t.user, t.day)
            if t.product_id in products and t.points == "redeemed" and t.value:
                self.redeemed[t.user].add(t.day)
        self.invited: dict[str, dict[str, date]] = defaultdict(dict)
        self.invited_on: dict[str, date] = {}
        for product_id, day, user, inviter in reference.invitations:
            if product_id in products:
                self.invited[inviter][user] = min(day, self.invited[inviter].get(user, day))
                self.invited_on[user] = min(day, self.invited_on.get(user, day))

    def _see(self, user: str, day: date) -> None:
        self.first_seen[user] = min(day, self.first_seen.get(user, day))

    def labels(self, day: date) -> Iterator[str]:
        """Line and label of everybody known by that day."""
        for user, seen in self.first_seen.items():
            if seen <= day:
                yield f"transaction {self._buyer(user, day)}"
                yield f"activity {self._activity(user, day, seen)}"
        for tier in self.tiers(day).values():
            yield f"value {tier}"

    def tiers(self, day: date) -> dict[str, str]:
        """User: tier, of everybody who brought something in."""
        values: dict[str, float] = {}
        for user, orders in self.orders.items():
            value = sum(v for on, v in orders if day - 90 * DAY < on <= day)
            if value > 0:
                values[user] = round(value, 6)
        found = {}
        for user, value in values.items():
            above = sum(other > value for other in values.values())
            for tier, share in (("top", 0.01), ("high", 0.1), ("middle", 0.5), ("rest", 2)):
                if above < share * len(values):
                    found[user] = tier
                    break
        return found

    def _buyer(self, user: str, day: date) -> str:
        orders = [on for on, _ in self.orders.get(user, ()) if on <= day]
        if not orders:
            return "prospect"
        age = (day - max(orders)).days
        if age >= 60:
            return "lost" if age >= 180 else "lapsing"
        return "first_buyer" if len(orders) == 1 else "repeat_buyer"

    def _activity(self, user: str, day: date, seen: date) -> str:
        if (day - seen).days < 14:
            return "new"
        active = sum(day - 28 * DAY < on <= day for on in self.active.get(user, ()))
        if active < 12:
            return "active" if active else "dormant"
        brought = sum(on <= day for on in self.invited.get(user, {}).values())
        return "key_opinion_leader" if brought >= 3 else "core"


def holds(prefix: str, path: str) -> bool:
    """A prefix matches on whole segments."""
    wanted = [part for part in prefix.split("/") if part]
    return [part for part in path.split("/") if part][: len(wanted)] == wanted


def _days(first: date, last: date) -> list[date]:
    return [first + number * DAY for number in range((last - first).days + 1)]


def _months_later(start: date, months: int) -> date:
    for _ in range(months):
        start = (start + 31 * DAY).replace(day=1)
    return start


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _date(text: str) -> date:
    return date.fromisoformat(text) if text else NEVER


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or not denominator:
        return None
    return numerator / denominator


def _sum(amounts: Sequence[float | None]) -> float | None:
    """NULL where one of them is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _times(amount: float | None, share: float | None) -> float | None:
    return None if amount is None or share is None else amount * share


def _minus(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _size(value: float | None) -> float | None:
    return None if value is None else abs(value)
