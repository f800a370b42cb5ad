"""What each member contributed to a change once more, over the reference's plain objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import reference
from reference import Period, Reference, Scope

from kpi_pipeline.periods import each_day

#: KPI: whether it is a sum; the others are ratios.
KPIS = {
    **dict.fromkeys(("impressions", "clicks", "cost", "page_views", "visits"), True),
    **dict.fromkeys(("orders", "revenue", "points_issued", "points_redeemed"), True),
    **dict.fromkeys(("ctr", "cpm", "cpc", "bounce_rate", "pages_per_visit"), False),
    "average_visit_duration_seconds": False,
}
OF: dict[str, Callable[[Any], str]] = {
    "channel": lambda row: str(row.channel),
    "campaign": lambda row: str(row.campaign),
    "product": lambda row: str(row.product_id),
}
Contributions = dict[tuple[str, str, str], float]


class Families:
    """The KPIs of one scope, whole and member by member."""

    def __init__(self, whole: Reference, scope: Scope) -> None:
        self.exposure = reference._Exposure(whole, scope)
        self.visits = reference._Visits(whole, scope)
        self.revenue = reference._Revenue(whole, scope)
        #: a page view is of the channel and campaign its visit came by
        self.origins = {
            (page.product_id, page.day, page.event_id): visit
            for visit in whole.visits
            for page in visit.pages
        }

    def sides(self, period: Period, dimension: str) -> dict[str, dict[str, tuple[float, float]]]:
        """KPI: member: numerator (or the sum itself) and denominator."""
        days = list(each_day(period.start, period.last_day))
        found: dict[str, dict[str, tuple[float, float]]] = {}
        for member, figures in self._by_member(period, days, OF[dimension]):
            for kpi_id, is_sum in KPIS.items():
                if kpi_id in figures:
                    figure = figures[kpi_id]
                    one = figure.value if is_sum else figure.numerator
                    pair = (float(one or 0), float(figure.denominator or 0))
                    if any(pair):
                        found.setdefault(kpi_id, {})[member] = pair
        return found

    def _member(self, of: Callable[[Any], str], row: Any) -> str:
        if isinstance(row, reference.PageView):
            row = self.origins[row.product_id, row.day, row.event_id]
        return of(row)

    def _by_member(
        self, period: Period, days: list[date], of: Callable[[Any], str]
    ) -> Iterator[tuple[str, dict[str, reference.Figure]]]:
        for family, names in (
            (self.exposure, ("shown",)),
            (self.visits, ("visits", "pages", "traffic")),
            (self.revenue, ("transactions",)),
        ):
            kept = {name: getattr(family, name) for name in names}
            members = {self._member(of, row) for name in names for row in kept[name].on(days)}
            for member in members:
                for name in names:
                    rows = (row for row in kept[name].on(days) if self._member(of, row) == member)
                    setattr(family, name, reference._ByDay(rows))
                yield member, family.of(period, days)
            for name in names:
                setattr(family, name, kept[name])


def first_touches(whole: Reference, scope: Scope, period: Period) -> dict[str, int]:
    """Channel: visitors of a product whose first visit of the period came by it."""
    days = set(each_day(period.start, period.last_day))
    visits = [v for v in whole.visits if v.product_id == scope.product_id and v.day in days]
    channel_of: dict[str, str] = {}
    for visit in sorted(visits, key=lambda visit: visit.pages[0].at):
        channel_of.setdefault(visit.pages[0].visitor, visit.channel)
    return Counter(channel_of.values())


def content_views(whole: Reference, scope: Scope, period: Period) -> dict[str, int]:
    """Type of content: page views of it; all others as (other)."""
    days = set(each_day(period.start, period.last_day))
    found: Counter[str] = Counter()
    for product in whole.products.values():
        is_in_scope = scope.product_id in (reference.ALL, product.product_id)
        if is_in_scope and product.traffic_source == "own":
            found.update(kind for day, kind in whole._content_views(product) if day in days)
    family = reference._Visits(whole, scope)
    total = family.of(period, list(each_day(period.start, period.last_day)))["page_views"].value
    assert total is not None
    found["(other)"] = int(total) - sum(found.values())
    return found


def contributions(
    kpi_id: str,
    before: dict[str, tuple[float, float]],
    after: dict[str, tuple[float, float]],
) -> dict[tuple[str, str], float]:
    """Member and effect: as docs/drivers.md words it."""
    scale = 1000.0 if kpi_id == "cpm" else 1.0
    found: dict[tuple[str, str], float] = {}
    whole0, whole1 = (sum(d for _, d in side.values()) for side in (before, after))
    if not KPIS[kpi_id]:
        ratio0 = sum(n for n, _ in before.values()) / whole0
        ratio1 = sum(n for n, _ in after.values()) / whole1
    for member in before.keys() | after.keys():
        n0, d0 = before.get(member, (0.0, 0.0))
        n1, d1 = after.get(member, (0.0, 0.0))
        if KPIS[kpi_id]:
            found[member, "volume"] = n1 - n0
            continue
        if d0 or d1:
            rate0 = n0 / d0 if d0 else n1 / d1
            rate1 = n1 / d1 if d1 else n0 / d0
            share0, share1 = d0 / whole0, d1 / whole1
            found[member, "rate"] = scale * (share0 + share1) / 2 * (rate1 - rate0)
            middle = (rate0 + rate1) / 2 - (ratio0 + ratio1) / 2
            found[member, "mix"] = scale * (share1 - share0) * middle
        unmatched = (n1 / whole1 if not d1 else 0) - (n0 / whole0 if not d0 else 0)
        if unmatched:
            found[member, "unmatched"] = scale * unmatched
    return found
