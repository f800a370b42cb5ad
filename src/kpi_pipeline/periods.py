"""Days, weeks, months and quarters as half-open intervals of local days. Pure: no clock is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Grain = Literal["day", "week", "month", "quarter"]
GRAINS: tuple[Grain, ...] = ("day", "week", "month", "quarter")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Calendar:
    """The company's choices. `week_start`: 0 is Monday. `fiscal_year_start_month`: 1 to 12."""

    week_start: int = 0
    fiscal_year_start_month: int = 1


@dataclass(frozen=True, order=True)
class Period:
    """Local days `[start, end)`, named by its first day."""

    grain: Grain
    start: date
    end: date

    @property
    def last_day(self) -> date:
        return self.end - timedelta(days=1)

    @property
    def days(self) -> tuple[date, ...]:
        return tuple(each_day(self.start, self.last_day))


def each_day(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def period_of(grain: Grain, day: date, calendar: Calendar) -> Period:
    """The period of that grain that holds `day`."""
    if grain == "day":
        return Period(grain, day, day + timedelta(days=1))
    if grain == "week":
        start = day - timedelta(days=(day.weekday() - calendar.week_start) % 7)
        return Period(grain, start, start + timedelta(days=7))
    if grain == "month":
        start = day.replace(day=1)
        return Period(grain, start, _add_months(start, 1))
    months_in = (day.month - calendar.fiscal_year_start_month) % 3
    start = _add_months(day.replace(day=1), -months_in)
    return Period(grain, start, _add_months(start, 3))


def last_ended(grain: Grain, day: date, calendar: Calendar) -> Period:
    """The last period that was over when `day` began."""
    return period_of(grain, period_of(grain, day, calendar).start - timedelta(days=1), calendar)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants (UTC) between which the local day lies; 23 to 25 hours apart."""
    return (
        datetime.combine(day, time(), zone).astimezone(UTC),
        datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC),
    )


def _add_months(first_of_month: date, months: int) -> date:
    index = first_of_month.year * 12 + first_of_month.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)
