"""Draws a product's advertising and posts: impressions, reach, clicks and cost by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpi_pipeline.simulate import planted
from kpi_pipeline.simulate.company import Firm
from kpi_pipeline.simulate.visits import Span

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_CLICKS_THAT_ARRIVE = 0.85


@dataclass(frozen=True)
class Exposure:
    """One entry per line and day with impressions. cost: product's currency, NaN for none."""

    line: Ints
    day: Ints
    impressions: Ints
    reach: Ints
    clicks: Ints
    cost: Floats


def draw_exposure(
    firm: Firm, span: Span, visits: NDArray[np.int64], rng: np.random.Generator
) -> Exposure:
    """Enough impressions for the visits (by origin and day) that came through each line."""
    parts: list[tuple[Ints, Ints, Ints, Ints, Ints, Floats]] = []
    days = span.offsets.astype(float)
    for number, line in enumerate(firm.lines):
        chosen = [
            n
            for n, o in enumerate(firm.origins)
            if o.channel == line.channel and (not line.cpm or o.campaign == line.campaign)
        ]
        arrived = visits[chosen].sum(axis=0) * line.weight
        clicks = rng.poisson(arrived / _CLICKS_THAT_ARRIVE)
        rate = line.ctr * rng.lognormal(0, 0.12, len(days))
        impressions = np.maximum(clicks, np.round(arrived / _CLICKS_THAT_ARRIVE / rate)).astype(
            np.int64
        )
        reach = np.ceil(impressions / rng.uniform(1.25, 1.6, len(days))).astype(np.int64)
        if line.cpm is None:
            cost = np.full(len(days), np.nan)
        else:
            price = line.cpm * planted.cost_factor(firm.product, line.channel, days)
            noise = rng.lognormal(0, 0.06, len(days))
            cost = np.round(impressions / 1000 * price * noise, 2)
        shown = np.flatnonzero(impressions)
        parts.append(
            (
                np.full(len(shown), number),
                shown,
                impressions[shown],
                reach[shown],
                clicks[shown],
                cost[shown],
            )
        )
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((joined[0], joined[1]))
    return Exposure(*(column[order] for column in joined))
