"""Numbers, money, dates and periods as they are written in both languages."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from babel import Locale

from kpi_pipeline.periods import Calendar, Grain, period_of
from kpi_pipeline.reporting.formats import BABEL_LOCALES, Formats, bar

ENGLISH = Formats(Locale.parse(BABEL_LOCALES["en"]), str)
SPANISH = Formats(Locale.parse(BABEL_LOCALES["es"]), str)


@pytest.mark.parametrize(
    ("value", "unit", "english", "spanish"),
    [
        (None, "count", "n/a", "n/a"),
        (0.0, "count", "0", "0"),
        (2147483648.0, "count", "2,147,483,648", "2.147.483.648"),
        (12.34, "count", "12.3", "12,3"),
        (0.0, "share", "0%", "0 %"),
        (0.00525, "share", "0.52%", "0,52 %"),
        (0.412, "share", "41.2%", "41,2 %"),
        (2.5, "ratio", "2.50", "2,50"),
        (143.6, "seconds", "2 min 24 s", "2 min 24 s"),
        (7.0, "seconds", "7 s", "7 s"),
        (384.2, "money", "€384.20", "384,20 €"),
        (41230.5, "money", "€41,230", "41.230 €"),
    ],
)
def test_a_value_is_written_in_its_unit(
    value: float | None, unit: str, english: str, spanish: str
) -> None:
    written = [f.amount(value, unit, "EUR").replace("\u00a0", " ") for f in (ENGLISH, SPANISH)]
    assert written == [english, spanish]


@pytest.mark.parametrize(
    ("share", "english", "filled"),
    [
        (None, "n/a", None),
        (0.0, "0%", 0),
        (0.76, "76%", 76),
        (0.993, "99.3%", 99),
        (0.99949, "99.9%", 99),
        (0.9996, "99.9%", 99),
        (0.9999999, "99.9%", 99),
        (1.0, "100%", 100),
        (1.0000001, "100.1%", 100),
        (1.0026, "100.3%", 100),
        (1.00499, "100.5%", 100),
        (1.005, "100.5%", 100),
        (1.0051, "101%", 100),
        (1.24, "124%", 100),
    ],
)
def test_only_a_target_met_exactly_reads_100_percent(
    share: float | None, english: str, filled: int | None
) -> None:
    assert ENGLISH.attainment(share) == english
    spanish = english.replace(".", ",").replace("%", "\u00a0%")
    assert SPANISH.attainment(share) == spanish
    assert share is None or bar(share) == filled


@pytest.mark.parametrize(
    ("change", "share", "unit", "written"),
    [
        (-120.0, -0.077, "count", "7.7%"),
        (120.0, None, "count", "120"),
        (0.0141, 0.035, "share", "1.41 pp"),
        (0.00001, 0.001, "share", "<0.01 pp"),
        (1.0, 0.00002, "count", "<0.01%"),
    ],
)
def test_a_movement_is_never_written_as_none(
    change: float, share: float | None, unit: str, written: str
) -> None:
    assert ENGLISH.change(change, share, unit).replace("\u00a0", " ") == written


@pytest.mark.parametrize(
    ("grain", "english", "spanish"),
    [
        ("day", "Sunday, 30 June 2024", "domingo, 30 de junio de 2024"),
        ("week", "24–30 Jun 2024", "24–30 de junio de 2024"),
        ("month", "June 2024", "junio de 2024"),
        ("quarter", "April – June 2024", "abril–junio de 2024"),
    ],
)
def test_a_period_is_named_by_its_dates(grain: Grain, english: str, spanish: str) -> None:
    period = period_of(grain, date(2024, 6, 30), Calendar())
    written = [f.period(period).replace("\u2009", " ") for f in (ENGLISH, SPANISH)]
    assert written == [english, spanish]


@pytest.mark.parametrize(
    ("day", "start", "english"),
    [
        # of the year before by ISO's count, and of the year after
        (date(2021, 1, 1), date(2020, 12, 28), "28 Dec 2020 – 3 Jan 2021"),
        (date(2024, 12, 31), date(2024, 12, 30), "30 Dec 2024 – 5 Jan 2025"),
        (date(2021, 1, 4), date(2021, 1, 4), "4–10 Jan 2021"),
    ],
)
def test_a_week_over_the_new_year_is_named_with_both_years(
    day: date, start: date, english: str
) -> None:
    period = period_of("week", day, Calendar())
    assert (period.start, period.end) == (start, start + timedelta(days=7))
    assert ENGLISH.period(period).replace("\u2009", " ") == english
