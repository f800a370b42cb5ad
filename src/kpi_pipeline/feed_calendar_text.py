"""A feed calendar drawn as text: a line for each feed and product, a sign for each day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rich.text import Text

from kpi_pipeline.feed_calendar import MEANINGS, FeedCalendar, FeedDay, State, land_command
from kpi_pipeline.periods import Calendar, each_day, period_of

SIGNS: dict[State, tuple[str, str]] = {
    "landed": (".", "green"),
    "thin": ("t", "bold yellow"),
    "late": ("l", "bold cyan"),
    "absent": ("A", "bold red"),
    "rejected": ("R", "bold white on red"),
    "missing": ("M", "bold magenta"),
    "not_yet": ("-", "dim"),
    "not_started": (" ", ""),
}
LISTED = 20


def drawn(calendar: FeedCalendar, width: int) -> Iterator[Text]:
    """The whole answer, line by line: days, legend, what is not fine and what to do about it."""
    yield Text(f"{calendar.first} to {calendar.last}, as of {calendar.at:%Y-%m-%d %H:%M} UTC")
    yield Text()
    yield from _grid(calendar, width)
    yield from _legend(calendar)
    troubles = _troubles(calendar.days)
    for trouble in troubles[:LISTED]:
        yield Text()
        yield from _told(trouble)
    if len(troubles) > LISTED:
        yield Text()
        yield Text(f"And {len(troubles) - LISTED} more; --format csv lists every day.")
    closing = list(_closing(calendar))
    if closing:
        yield Text()
        yield from closing


def _grid(calendar: FeedCalendar, width: int) -> Iterator[Text]:
    """Blocks of as many weeks as the width takes, days under the first day of their week."""
    lines: dict[tuple[str, str], dict[date, FeedDay]] = {}
    for day in calendar.days:
        lines.setdefault((day.feed, day.product_id), {})[day.day] = day
    feeds = max((len(feed) for feed, _ in lines), default=4)
    products = max((len(product) for _, product in lines), default=4)
    indent = feeds + products + 4
    weeks = _weeks(calendar)
    fitting = max(1, (width - indent) // 8)
    for start in range(0, len(weeks), fitting):
        block = weeks[start : start + fitting]
        head = Text(f"{block[0]:%Y}".ljust(indent), style="dim")
        head.append("".join(f"{week:%m-%d}".ljust(8) for week in block).rstrip())
        yield head
        for (feed, product), days in lines.items():
            line = Text(f"{feed.ljust(feeds)}  {product.ljust(products)}  ")
            for week in block:
                for each in each_day(week, week + timedelta(days=6)):
                    line.append(*(SIGNS[days[each].state] if each in days else (" ", "")))
                line.append(" ")
            line.rstrip()
            yield line
        yield Text()


def _weeks(calendar: FeedCalendar) -> list[date]:
    start = period_of("week", calendar.first, Calendar(calendar.week_start)).start
    return [day for day in each_day(start, calendar.last) if (day - start).days % 7 == 0]


def _legend(calendar: FeedCalendar) -> Iterator[Text]:
    counts = Counter(day.state for day in calendar.days)
    for state, meaning in MEANINGS.items():
        sign, style = SIGNS[state]
        if counts[state] and sign != " ":
            many = "day" if counts[state] == 1 else "days"
            yield Text.assemble((sign, style), f"  {counts[state]:,} {many} {meaning}")


@dataclass
class _Trouble:
    """Days in a row with the same trouble, of one pair; never loaded days of several."""

    days: list[FeedDay]
    pairs: list[tuple[str, str]]

    @property
    def first(self) -> FeedDay:
        return self.days[0]

    @property
    def last(self) -> FeedDay:
        return self.days[-1]


def _troubles(days: Sequence[FeedDay]) -> list[_Trouble]:
    """What is not fine, latest first."""
    found: list[_Trouble] = []
    for day in days:
        if day.is_fine:
            continue
        if found and _is_same(found[-1].last, day):
            found[-1].days.append(day)
        else:
            found.append(_Trouble([day], [(day.feed, day.product_id)]))
    merged: list[_Trouble] = []
    missing: dict[tuple[date, date], _Trouble] = {}
    for trouble in found:
        if trouble.first.state == "missing":
            one = missing.setdefault((trouble.first.day, trouble.last.day), trouble)
            if one is not trouble:
                one.pairs += trouble.pairs
                continue
        merged.append(trouble)
    return sorted(merged, key=lambda trouble: trouble.last.day, reverse=True)


def _is_same(one: FeedDay, other: FeedDay) -> bool:
    pair, other_pair = (one.feed, one.product_id), (other.feed, other.product_id)
    return (
        (pair, one.state) == (other_pair, other.state)
        and other.day - one.day == timedelta(days=1)
        and _undated(one) == _undated(other)
    )


def _undated(day: FeedDay) -> str:
    return day.reason.replace(day.day.isoformat(), "{day}")


def _told(trouble: _Trouble) -> Iterator[Text]:
    """What, counts where there are any, why, and what to do."""
    one, last = trouble.first, trouble.last
    days = f"{one.day}" if one is last else f"{one.day} to {last.day} ({len(trouble.days)} days)"
    line = Text(f"{_who(trouble.pairs)}, {days}: ")
    line.append(one.state, style=SIGNS[one.state][1])
    line.append(_counts(trouble.days))
    yield line
    if one.reason:
        yield Text(f"  {one.reason if one is last else _undated(one)}")
    if one.advice:
        alone = land_command([one.feed], [one.product_id], one.day, one.day)
        feeds, products = zip(*trouble.pairs, strict=True)
        whole = land_command(feeds, products, one.day, last.day)
        yield Text(f"  {one.advice.replace(alone, whole)}", style="bold")


def _who(pairs: Sequence[tuple[str, str]]) -> str:
    products: dict[str, list[str]] = {}
    for feed, product in pairs:
        products.setdefault(feed, []).append(product)
    return "; ".join(f"{feed} of {', '.join(names)}" for feed, names in products.items())


def _counts(days: Sequence[FeedDay]) -> str:
    read, landed, quarantined, dropped = (
        sum(getattr(day, name) for day in days)
        for name in ("read", "landed", "quarantined", "dropped")
    )
    if not read:
        return ""
    rules: Counter[str] = Counter()
    for day in days:
        rules.update(day.dropped_by)
    by = f" ({', '.join(f'{n:,} by {rule}' for rule, n in rules.most_common())})" if rules else ""
    return (
        f"; {read:,} row{'' if read == 1 else 's'} read, {landed:,} landed, "
        f"{quarantined:,} quarantined, {dropped:,} dropped{by}"
    )


def _closing(calendar: FeedCalendar) -> Iterator[Text]:
    if any("kpi land" in day.advice for day in calendar.days):
        yield Text("After `kpi land`: kpi build && kpi publish.")
    aside = [day for day in calendar.days if day.quarantined]
    if aside:
        rows = sum(day.quarantined for day in aside)
        yield Text(
            f"{rows:,} row{'' if rows == 1 else 's'} of {len(aside):,} "
            f"day{'' if len(aside) == 1 else 's'} in quarantine; why: "
            f"kpi quarantine list --from {calendar.first} --to {calendar.last}"
        )
    warned = sum(1 for day in calendar.days if day.checks_warned)
    if warned:
        yield Text(
            f"Checks warned on {warned:,} day{'' if warned == 1 else 's'}; --format csv says of "
            "what, as does data_docs/index.html."
        )
    if calendar.since is not None:
        first, last = calendar.since
        days = f"{first} was" if first == last else f"{first} to {last} were"
        yield Text(f"{days} due since and not loaded: kpi land --from {first} --to {last}")
