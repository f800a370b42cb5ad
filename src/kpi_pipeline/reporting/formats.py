"""How numbers, money, dates and periods are written in one language. NULL is `n/a`, never 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime, format_interval, format_skeleton
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, format_percent

from kpi_pipeline.periods import Period

# English dates as read everywhere: 30 June 2024, not June 30.
BABEL_LOCALES = {"en": "en_001", "es": "es"}
NO_BREAK = "\u00a0"


@dataclass(frozen=True)
class Formats:
    """The filters of one language. `gettext` gives the few words numbers need."""

    locale: Locale
    gettext: Callable[[str], str]

    def filters(self) -> dict[str, Callable[..., str | int]]:
        return {
            "amount": self.amount,
            "change": self.change,
            "count": self.count,
            "percent": self.percent,
            "attainment": self.attainment,
            "day_long": self.day_long,
            "date_long": self.date_long,
            "day_short": self.day_short,
            "moment": self.moment,
            "clock": clock,
            "period": self.period,
            "period_short": self.period_short,
            "listed": self.listed,
            "bar": bar,
            "inline": inline,
            "opening": opening,
        }

    def amount(self, value: float | None, unit: str, currency: str | None = None) -> str:
        """A value in its unit (count, share, ratio, money, seconds, days)."""
        if value is None:
            return self.gettext("n/a")
        if unit == "share":
            return self.percent(value)
        if unit == "money":
            return self._money(value, currency)
        if unit == "ratio":
            return str(format_decimal(value, "#,##0.00", locale=self.locale))
        if unit == "seconds":
            return self._duration(value)
        number = self.count(value)
        return f"{number}{NO_BREAK}{self.gettext('days')}" if unit == "days" else number

    def change(
        self, change: float, share: float | None, unit: str, currency: str | None = None
    ) -> str:
        """How far a value moved, without a sign: in percent, for shares in percentage points."""
        if unit == "share":
            points = abs(change) * 100
            number = format_decimal(max(points, 0.01), "#,##0.0#", locale=self.locale)
            less = "<" if 0 < points < 0.005 else ""
            return f"{less}{number}{NO_BREAK}{self.gettext('pp')}"
        if share is None:
            return self.amount(abs(change), unit, currency)
        less = "<" if 0 < abs(share) < 0.0001 else ""
        return f"{less}{self.percent(max(abs(share), 0.0001))}"

    def count(self, value: float | None) -> str:
        """A number with thousands marked; decimals only where they say something."""
        if value is None:
            return self.gettext("n/a")
        pattern = "#,##0" if value == int(value) or abs(value) >= 100 else "#,##0.0"
        return str(format_decimal(value, pattern, locale=self.locale))

    def percent(self, value: float | None) -> str:
        """0.0312 as 3.1%; two decimals below one percent, none from 100% on, no trailing zero."""
        if value is None:
            return self.gettext("n/a")
        size = abs(value)
        return self._percent(
            value, "0" if size >= 1 or size == 0 else "0.#" if size >= 0.01 else "0.##"
        )

    def _percent(self, value: float, digits: str) -> str:
        sign = NO_BREAK if self.locale.language == "es" else ""
        return str(format_percent(value, f"#,##{digits}{sign}%", locale=self.locale))

    def attainment(self, share: float | None) -> str:
        """As `percent`, but 100% only for exactly that: a target missed by little reads 99.9%, one
        beaten by little 100.1%."""
        if share is not None and 0.999 <= share < 1:
            return self.percent(0.999)
        if share is not None and 1 < share <= 1.005:
            return self._percent(max(share, 1.001), "0.#")
        return self.percent(share)

    def day_long(self, day: date) -> str:
        return str(format_date(day, "full", locale=self.locale))

    def date_long(self, day: date) -> str:
        return str(format_date(day, "long", locale=self.locale))

    def day_short(self, day: date) -> str:
        """With the weekday and without the year: Sun 23 Jun."""
        return str(format_skeleton("MMMEd", day, locale=self.locale)).replace(",", "")

    def moment(self, at: datetime) -> str:
        return f"{format_datetime(at, 'd MMM y, HH:mm', locale=self.locale)}{NO_BREAK}UTC"

    def period(self, period: Period) -> str:
        """A day, week, month or quarter by its dates; quarters by their months, as fiscal years
        differ."""
        if period.grain == "day":
            return self.day_long(period.start)
        if period.grain == "month":
            return str(format_skeleton("yMMMM", period.start, locale=self.locale))
        skeleton = "yMMMMd" if period.grain == "week" else "yMMMM"
        return str(format_interval(period.start, period.last_day, skeleton, locale=self.locale))

    def period_short(self, period: Period) -> str:
        """For comparisons, where the year is clear."""
        if period.grain == "day":
            return self.day_short(period.start)
        if period.grain == "month":
            return str(format_date(period.start, "LLLL", locale=self.locale))
        skeleton = "MMMd" if period.grain == "week" else "MMM"
        return str(format_interval(period.start, period.last_day, skeleton, locale=self.locale))

    def listed(self, items: Sequence[Any]) -> str:
        """a, b and c"""
        return str(format_list([str(i) for i in items], locale=self.locale))

    def _money(self, value: float, currency: str | None) -> str:
        digits = "#,##0" if abs(value) >= 1000 else "#,##0.00"
        if currency is None:
            return str(format_decimal(value, digits, locale=self.locale))
        pattern = f"{digits}{NO_BREAK}¤" if self.locale.language == "es" else f"¤{digits}"
        return str(
            format_currency(value, currency, pattern, locale=self.locale, currency_digits=False)
        )

    def _duration(self, seconds: float) -> str:
        minutes, rest = divmod(round(seconds), 60)
        if minutes == 0:
            return f"{rest}{NO_BREAK}s"
        return f"{minutes}{NO_BREAK}min{NO_BREAK}{rest:02d}{NO_BREAK}s"


def inline(label: str) -> str:
    """A label in the middle of a sentence: `Visits` as visits, `CTR` and `d7` as they are."""
    if len(label) > 1 and label[0].isupper() and label[1].islower():
        return label[0].lower() + label[1:]
    return label


def clock(at: time) -> str:
    """Hours and minutes, as on a clock of 24 hours."""
    return f"{at:%H:%M}"


def opening(sentence: str) -> str:
    """With a capital first letter; the rest as it is."""
    return sentence[:1].upper() + sentence[1:]


def bar(attainment: float) -> int:
    """How much of a bar is filled, in whole percent from 0 to 100; 100 only from 1 on."""
    return 100 if attainment >= 1 else min(round(max(attainment, 0.0) * 100), 99)
