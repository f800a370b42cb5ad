"""Draws a product's visits and the pages they read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from kpi_pipeline.periods import day_bounds
from kpi_pipeline.simulate import planted
from kpi_pipeline.simulate.company import EPOCH, Firm

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# how many start in each hour of the local day
_HOURS = np.array(
    [12, 7, 4, 3, 3, 5, 12, 26, 40, 50, 54, 52, 55, 54, 50, 48, 48, 52, 58, 66, 74, 72, 52, 28]
)
DEVICES = ("mobile", "desktop", "tablet")
_DEVICE_SHARES = (0.6, 0.34, 0.06)
_STATIC_SHARE = 0.4
ITEMS_EVERY_DAYS = 2.5
_MOST_PAGES = 14
_SHORTEST_GAP, _MEAN_GAP, _LONGEST_GAP = 4.0, 68.0, 1500.0
BOT_VISITORS = 40


@dataclass(frozen=True)
class Span:
    """Local days from `first` to `last`; offsets count from EPOCH."""

    first: date
    last: date

    @property
    def offsets(self) -> Ints:
        return np.arange((self.first - EPOCH).days, (self.last - EPOCH).days + 1)

    @property
    def days(self) -> list[str]:
        return [(EPOCH + timedelta(days=int(n))).isoformat() for n in self.offsets]


@dataclass(frozen=True)
class Visits:
    """One entry per visit, by time. day: index into the span. second: since local midnight."""

    origin: Ints
    day: Ints
    second: Floats
    visitor: Ints
    pages: Ints
    device: Ints
    country: Ints

    def count(self, origins: int, days: int) -> Ints:
        """Visits by origin and day of the span."""
        flat = np.bincount(self.origin * days + self.day, minlength=origins * days)
        return flat.reshape(origins, days)


@dataclass(frozen=True)
class PageViews:
    """One entry per page view. origin: -1 for bots, -2 for monitoring. at: seconds since 1970."""

    origin: Ints
    day: Ints
    at: Ints
    visitor: Ints
    page: Ints
    device: Ints
    country: Ints
    is_entry: NDArray[np.bool_]


def expected_visits(firm: Firm, span: Span, rng: np.random.Generator) -> Floats:
    """Mean number of visits by origin and day: level, growth, rhythm, noise of the day, facts."""
    days = span.offsets.astype(float)
    weekday = np.array(firm.weekday)[(span.offsets + EPOCH.weekday()) % 7]
    wave, peak = firm.season
    season = 1 + wave * np.cos(2 * np.pi * (days - peak) / 365.25)
    noise = rng.lognormal(0.0, 0.05, len(days))
    level = firm.visits * (1 + firm.growth) ** days * weekday * season * noise
    rows = []
    for origin in firm.origins:
        if (firm.product, origin.campaign) == (planted.CAMPAIGN.product, planted.CAMPAIGN.campaign):
            others = sum(
                o.share
                for o in firm.origins
                if o.channel == origin.channel and o.campaign != origin.campaign
            )
            rows.append(level * planted.in_campaign(days) * planted.CAMPAIGN.size * others)
            continue
        facts = planted.visits_factor(firm.product, origin.channel, days)
        rows.append(level * origin.share * facts)
    return np.array(rows)


def draw_visits(firm: Firm, span: Span, rng: np.random.Generator) -> Visits:
    """Visits in order of time, with visitors that come back, more likely soon than late."""
    counts = rng.poisson(expected_visits(firm, span, rng))
    origins, days = counts.shape
    origin = np.repeat(np.arange(origins), counts.sum(axis=1))
    day = np.repeat(np.tile(np.arange(days), origins), counts.ravel())
    hour = rng.choice(24, len(day), p=_HOURS / _HOURS.sum())
    second = (hour + rng.random(len(day))) * 3600.0
    order = np.lexsort((second, day))
    origin, day, second = origin[order], day[order], second[order]
    new_share = np.array([o.new_share for o in firm.origins])[origin]
    memory = 9.0 * max(1.0, len(day) / max(1, days))
    total = len(day)
    back = 1 + np.floor(rng.exponential(memory, total)).astype(np.int64)
    index = np.arange(total)
    parent = np.where((rng.random(total) < new_share) | (back > index), index, index - back)
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    bounce = np.clip(firm.bounce + rng.normal(0, 0.02, days), 0.05, 0.95)[day]
    pages = np.where(rng.random(total) < bounce, 1, 1 + rng.geometric(0.34, total))
    # a device and a country belong to the visitor, so they are drawn from the visitor's number
    lottery = np.random.default_rng(rng.integers(2**32)).random((2, total))[:, parent]
    device = np.searchsorted(np.cumsum(_DEVICE_SHARES)[:-1], lottery[0])
    shares = np.cumsum(list(firm.countries.values()) or [1.0])[:-1]
    country = np.searchsorted(shares, lottery[1])
    return Visits(origin, day, second, parent, np.minimum(pages, _MOST_PAGES), device, country)


def draw_page_views(firm: Firm, span: Span, visits: Visits, rng: np.random.Generator) -> PageViews:
    """The page loads of the visits, with bots and monitoring; none outlasts its local day."""
    starts, lengths = day_edges(firm.zone, span)
    total = int(visits.pages.sum())
    visit = np.repeat(np.arange(len(visits.pages)), visits.pages)
    first = np.cumsum(visits.pages) - visits.pages
    is_entry = np.zeros(total, dtype=bool)
    is_entry[first] = True
    gap = np.clip(rng.exponential(_MEAN_GAP, total), _SHORTEST_GAP, _LONGEST_GAP)
    gap[first] = 0.0
    passed = np.cumsum(gap)
    passed -= np.repeat(passed[first], visits.pages)
    day = visits.day[visit]
    second = visits.second[visit] * lengths[day] / 86400.0 + passed
    kept = second < lengths[day]
    visit, day, second, is_entry = visit[kept], day[kept], second[kept], is_entry[kept]
    parts = [
        PageViews(
            visits.origin[visit],
            day,
            starts[day] + second.astype(np.int64),
            visits.visitor[visit],
            _pages(span.offsets[day], rng),
            visits.device[visit],
            visits.country[visit],
            is_entry,
        ),
        _machines(firm, span, starts, lengths, rng),
    ]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in PageViews.__dataclass_fields__
    }
    order = np.argsort(joined["at"], kind="stable")
    return PageViews(**{name: values[order] for name, values in joined.items()})


def paths(firm: Firm) -> list[str]:
    """Pages by number: home, about, staff, then the items of `items` in order, for ten years."""
    count = int(3650 / ITEMS_EVERY_DAYS)
    return ["/", "/about", "/admin/review", *(item_path(firm, n) for n in range(count))]


def item_path(firm: Firm, number: int) -> str:
    """Where the content item is read."""
    return f"{firm.sections[number % len(firm.sections)]}/{_WORDS[number % len(_WORDS)]}-{number}"


_WORDS = (
    "harbour",
    "lighthouse",
    "tide",
    "lantern",
    "compass",
    "orchard",
    "market",
    "bridge",
    "garden",
    "station",
    "island",
)


def _pages(days: Ints, rng: np.random.Generator) -> Ints:
    """A page for each view: home and about, or an item published so far, newer ones more."""
    published = np.floor(days / ITEMS_EVERY_DAYS).astype(np.int64) + 1
    age = np.floor(published * rng.random(len(days)) ** 2.5).astype(np.int64)
    item = 3 + published - 1 - age
    fixed = np.where(rng.random(len(days)) < 0.85, 0, 1)
    return np.where(rng.random(len(days)) < _STATIC_SHARE, fixed, item)


def _machines(
    firm: Firm, span: Span, starts: Ints, lengths: Ints, rng: np.random.Generator
) -> PageViews:
    """Bots of every day and of the wave (origin -1), staff and monitoring (origin -2)."""
    days = span.offsets
    bots = rng.poisson(9, len(days))
    wave = planted.BOT_WAVE
    if firm.product == wave.product:
        first, last = wave.days(span.last)
        inside = (days >= (first - EPOCH).days) & (days <= (last - EPOCH).days)
        bots = np.where(inside, bots + int(wave.size), bots)
    watch = np.full(len(days), 3)
    day = np.concatenate([np.repeat(np.arange(len(days)), n) for n in (bots, watch)])
    total = len(day)
    origin = np.repeat([-1, -2], [int(bots.sum()), int(watch.sum())])
    visitor = np.where(origin == -1, -1 - rng.integers(0, BOT_VISITORS, total), -BOT_VISITORS - 1)
    return PageViews(
        origin,
        day,
        starts[day] + (rng.random(total) * lengths[day]).astype(np.int64),
        visitor,
        np.where(origin == -1, _pages(days[day], rng), rng.integers(0, 3, total)),
        np.ones(total, dtype=np.int64),
        np.zeros(total, dtype=np.int64),
        np.ones(total, dtype=bool),
    )


def day_edges(zone: str, span: Span) -> tuple[Ints, Ints]:
    """When each local day begins (seconds since 1970) and how many seconds it has."""
    place = ZoneInfo(zone)
    edges = [day_bounds(EPOCH + timedelta(days=int(n)), place) for n in span.offsets]
    starts = np.array([int(start.timestamp()) for start, _ in edges], dtype=np.int64)
    ends = np.array([int(end.timestamp()) for _, end in edges], dtype=np.int64)
    return starts, ends - starts
