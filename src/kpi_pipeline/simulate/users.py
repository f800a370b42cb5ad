"""Draws a product's sign-ups and what its users do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpi_pipeline.simulate import planted
from kpi_pipeline.simulate.company import EPOCH, Firm, Users
from kpi_pipeline.simulate.visits import Span, Visits, day_edges

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ONE_TIME_SHARE = 0.35
_INVITED_SHARE = 0.3
_CHUNK = 2000


@dataclass(frozen=True)
class SignUps:
    """One entry per user, by time. day: index into the span. invited_by: a user's number, or -1."""

    day: Ints
    at: Ints
    origin: Ints
    invited_by: Ints


@dataclass(frozen=True)
class Activities:
    """One entry per thing a user did, by time. kind: index into `kinds_of`. value: 0 for none."""

    user: Ints
    at: Ints
    day: Ints
    kind: Ints
    value: Floats


def kinds_of(users: Users) -> list[str]:
    """The kinds a product's users do, in the order `Activities.kind` counts."""
    return list(users.kinds)


def draw_sign_ups(
    firm: Firm, users: Users, span: Span, visits: Visits, rng: np.random.Generator
) -> SignUps:
    """Sign-ups in proportion to the visits of each origin; at least one on the last day."""
    starts, lengths = day_edges(firm.zone, span)
    shares = np.array([users.sign_up_share.get(o.channel, 0.02) for o in firm.origins])
    factor = planted.sign_up_factor(firm.product, span.offsets.astype(float))
    counts = visits.count(len(firm.origins), len(starts))
    drawn = rng.poisson(counts * shares[:, None] * factor[None, :])
    if not drawn[:, -1].sum():
        drawn[0, -1] = 1
    origin = np.repeat(np.arange(len(shares)), drawn.sum(axis=1))
    day = np.repeat(np.tile(np.arange(len(starts)), len(shares)), drawn.ravel())
    at = starts[day] + (rng.beta(4, 3, len(day)) * lengths[day]).astype(np.int64)
    order = np.argsort(at, kind="stable")
    origin, day, at = origin[order], day[order], at[order]
    index = np.arange(len(at))
    by_referral = np.array([o.channel == "referral" for o in firm.origins])[origin]
    invited = by_referral & (rng.random(len(at)) < _INVITED_SHARE) & (index > 0)
    inviter = np.floor(index * rng.random(len(at))).astype(np.int64)
    return SignUps(day, at, origin, np.where(invited, inviter, -1))


def draw_activities(
    firm: Firm, users: Users, span: Span, signed_up: SignUps, rng: np.random.Generator
) -> Activities:
    """Activity of users who come often at first and later less, until they stay away."""
    starts, lengths = day_edges(firm.zone, span)
    days = len(starts)
    total = len(signed_up.day)
    stay = planted.stay_factor(firm.product, span.offsets[signed_up.day].astype(float))
    loyal = rng.beta(2.0, 2.0 / users.loyalty - 2.0, total) * np.sqrt(stay)
    loyal = np.where(rng.random(total) < _ONE_TIME_SHARE / stay, 0.0, np.minimum(loyal, 0.95))
    life = rng.exponential(users.lifetime_days, total) * stay
    weekday = np.array(firm.weekday)[(span.offsets + EPOCH.weekday()) % 7]
    who, when = [], []
    for first in range(0, total, _CHUNK):
        part = slice(first, min(first + _CHUNK, total))
        begun = int(signed_up.day[first])  # users are in order: no one here signed up earlier
        age = np.arange(begun, days)[None, :] - signed_up.day[part, None]
        chance = loyal[part, None] * (0.55 + 0.45 * np.exp(-np.maximum(age, 0) / 12.0))
        chance = np.where((age > 0) & (age <= life[part, None]), chance, 0.0)
        chance = np.where(age == 0, 0.8, chance * weekday[None, begun:])
        user, day = np.nonzero(rng.random(chance.shape) < chance)
        who.append(user + first)
        when.append(day + begun)
    user_days, day = np.concatenate(who), np.concatenate(when)
    times = 1 + rng.poisson(0.6, len(day))
    user, day = np.repeat(user_days, times), np.repeat(day, times)
    earliest = np.where(
        day == signed_up.day[user], signed_up.at[user] - starts[day], lengths[day] // 4
    )
    second = earliest + (rng.random(len(day)) * (lengths[day] - earliest)).astype(np.int64)
    kind = _kinds(users, day - signed_up.day[user], rng)
    names = kinds_of(users)
    value = np.zeros(len(day))
    for name, drawn in (
        ("purchase", np.round(users.order_value * rng.lognormal(0, 0.5, len(day)), 2)),
        ("points_earned", rng.integers(5, 60, len(day)).astype(float)),
        ("points_spent", rng.integers(50, 300, len(day)).astype(float)),
    ):
        if name in names:
            value = np.where(kind == names.index(name), drawn, value)
    at = starts[day] + second
    order = np.argsort(at, kind="stable")
    return Activities(user[order], at[order], day[order], kind[order], value[order])


def _kinds(users: Users, age: Ints, rng: np.random.Generator) -> Ints:
    """What each activity was; on the first day often the one that counts as activation."""
    weights = np.array(list(users.kinds.values()))
    kind = rng.choice(len(weights), len(age), p=weights / weights.sum())
    first = kinds_of(users).index(users.first_kind)
    return np.where((age == 0) & (rng.random(len(age)) < 0.4), first, kind)
