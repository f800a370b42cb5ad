"""The facts hidden in the simulated data, which KPIs and signals have to find again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from kpi_pipeline.simulate.company import EPOCH

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fact:
    """product, the days `[first, last]` (last None: to the end), and how much of what."""

    kind: str
    product: str
    first: date
    last: date | None
    size: float
    channel: str | None = None
    campaign: str | None = None
    what: str = ""

    def days(self, last: date) -> tuple[date, date]:
        return self.first, min(self.last or last, last)


CAMPAIGN = Fact(
    "campaign",
    "costa",
    date(2024, 6, 3),
    date(2024, 6, 30),
    1.6,
    channel="paid_social",
    campaign="verano_2024",
    what="expected visits of the channel are 1 + size times what they were without it",
)
OUTAGE = Fact(
    "outage",
    "costa",
    date(2023, 11, 14),
    date(2023, 11, 14),
    1.0,
    what="no file of page views exists for the day; it is absent, not 0",
)
BOT_WAVE = Fact(
    "bot_wave",
    "costa",
    date(2024, 4, 9),
    date(2024, 4, 10),
    2400.0,
    channel="direct",
    what="page views a day by 40 visitors, all marked is_bot",
)
DECAY = Fact(
    "decay",
    "ledgerly",
    date(2023, 7, 1),
    None,
    0.0022,
    channel="email",
    what="share of expected visits that is lost each day, compounded",
)
DEARER = Fact(
    "dearer_attention",
    "costa",
    date(2023, 10, 1),
    None,
    0.0016,
    channel="paid_social",
    what="share by which the cost of 1000 impressions rises each day, compounded",
)
COHORT = Fact(
    "better_cohort",
    "ledgerly",
    date(2024, 2, 1),
    date(2024, 2, 29),
    1.9,
    what="users who signed up in these days stay so many times as long and come as often again",
)
STAGE_CHANGE = Fact(
    "stage_change",
    "kumo",
    date(2024, 6, 17),
    None,
    1.0,
    what="from brand to growth; sign-ups per visit rise by half from that day",
)
BROKEN_ROWS = Fact(
    "broken_rows",
    "costa",
    date(2024, 2, 8),
    date(2024, 2, 8),
    7.0,
    what="page views of the day whose time is N/A; they belong into quarantine",
)
REPEATED_ROWS = Fact(
    "repeated_rows",
    "costa",
    date(2023, 1, 1),
    None,
    1 / 20011,
    what="share of the lines of page views that stand in their file twice",
)
FACTS = (
    CAMPAIGN,
    OUTAGE,
    BOT_WAVE,
    DECAY,
    DEARER,
    COHORT,
    STAGE_CHANGE,
    BROKEN_ROWS,
    REPEATED_ROWS,
)


def visits_factor(product: str, channel: str, days: Floats) -> Floats:
    """What the planted facts make of an origin's expected visits. days: since EPOCH."""
    factor = np.ones_like(days)
    if product == DECAY.product and channel == DECAY.channel:
        factor *= (1 - DECAY.size) ** np.maximum(0, days - _offset(DECAY.first))
    return factor


def in_campaign(days: Floats) -> NDArray[np.bool_]:
    """Whether the lifting campaign runs on each day."""
    return (days >= _offset(CAMPAIGN.first)) & (days <= _offset(CAMPAIGN.last))


def cost_factor(product: str, channel: str, days: Floats) -> Floats:
    """What they make of the cost of 1000 impressions."""
    if product == DEARER.product and channel == DEARER.channel:
        rising: Floats = (1 + DEARER.size) ** np.maximum(0, days - _offset(DEARER.first))
        return rising
    return np.ones_like(days)


def sign_up_factor(product: str, days: Floats) -> Floats:
    if product == STAGE_CHANGE.product:
        return np.where(days >= _offset(STAGE_CHANGE.first), 1.5, 1.0)
    return np.ones_like(days)


def stay_factor(product: str, sign_up_days: Floats) -> Floats:
    """How much longer users stay, by the day they signed up."""
    if product != COHORT.product:
        return np.ones_like(sign_up_days)
    inside = (sign_up_days >= _offset(COHORT.first)) & (sign_up_days <= _offset(COHORT.last))
    return np.where(inside, COHORT.size, 1.0)


def described(first: date, last: date) -> list[dict[str, object]]:
    """The facts that fall into the span, as truth.json states them."""
    facts: list[dict[str, object]] = []
    for fact in FACTS:
        begin, end = fact.days(last)
        if begin > last or end < first:
            continue
        entry = {k: v for k, v in asdict(fact).items() if v not in (None, "")}
        facts.append(entry | {"first": begin.isoformat(), "last": end.isoformat()})
    return facts


def _offset(day: date | None) -> int:
    return ((day or date.max) - EPOCH).days
