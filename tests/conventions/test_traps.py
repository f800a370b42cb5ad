"""What reference implementations got wrong, and the tests that would fail on it, by name.

A trap is closed by every test listed for it; a test that is renamed or removed is missed here.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MISTAKES = "tests/dbt/test_known_mistakes.py"
USERS = "tests/property/test_users_properties.py"
LANDING = "tests/unit/test_landing.py"
MODELS = "dbt_project/models"

#: A trap, and `file::test`; of a YAML file it is the name of a dbt unit test.
TRAPS = (
    (
        "uniques of a week as the sum of its days, ratios as the mean of ratios",
        f"{MISTAKES}::test_a_weeks_uniques_and_ratios_are_no_sum_or_mean_of_its_days",
    ),
    (
        "uniques of a scope as the sum of its parts",
        f"{MISTAKES}::test_a_persons_visitors_are_no_sum_of_their_products",
    ),
    (
        "years and months compared one by one",
        f"{USERS}::test_the_november_cohort_is_present_in_january_and_weeks_go_on_over_the_year",
    ),
    (
        "weeks counted as 52 a year",
        f"{USERS}::test_the_november_cohort_is_present_in_january_and_weeks_go_on_over_the_year",
    ),
    (
        "the week of 1 January put into the calendar year, in the models",
        f"{MODELS}/intermediate/_intermediate__unit_tests.yml::"
        "weeks_and_fiscal_quarters_start_where_the_company_says",
    ),
    (
        "the week of 1 January put into the calendar year, in mails",
        "tests/unit/test_render_formats.py::test_a_week_over_the_new_year_is_named_with_both_years",
    ),
    (
        "a week that holds the day of sending",
        "tests/unit/test_due.py::test_longer_periods_go_out_on_the_day_after_they_ended",
    ),
    (
        "a week other than the sentence says",
        f"{MISTAKES}::test_a_mail_about_a_week_states_the_days_it_counts_and_none_that_is_not_over",
    ),
    (
        "a month of 30.4375 days, in what is mailed",
        "tests/unit/test_due.py::test_twenty_four_monthly_reports_go_out_each_on_its_day",
    ),
    (
        "a month of 30.4375 days, in the models",
        f"{USERS}::test_cohorts_are_as_defined",
    ),
    (
        "weeks cut in UTC",
        f"{MISTAKES}::test_a_week_of_tokyo_is_cut_at_tokyos_midnight",
    ),
    ("days cut in UTC", f"{LANDING}::test_day_is_cut_at_local_midnight"),
    ("days of 24 hours", f"{LANDING}::test_days_of_23_and_25_hours_hold_their_hours"),
    (
        "a rolling figure compared with another window",
        f"{MISTAKES}::test_a_rolling_figure_is_compared_with_its_own_window_a_period_before",
    ),
    (
        "growth that signals",
        f"{MISTAKES}::test_a_product_that_grows_is_judged_against_its_trend",
    ),
    (
        "growth that signals, measured",
        "tests/dbt/test_signal_rates.py::test_few_quiet_days_signal_and_most_spikes_do",
    ),
    (
        "a broken quote that swallows the next line",
        "tests/unit/test_readers.py::test_every_line_after_a_broken_quote_survives",
    ),
    (
        "a broken quote that swallows lines up to the next quote",
        "tests/unit/test_readers.py::"
        "test_a_quote_that_is_not_closed_takes_no_line_with_it_that_stands_for_itself",
    ),
    (
        "lines that are neither landed nor quarantined nor dropped",
        "tests/property/test_files_properties.py::"
        "test_every_row_of_a_delimited_file_is_accounted_for",
    ),
    (
        "a broken line of a log that swallows the next",
        "tests/unit/test_access_logs.py::test_a_broken_line_is_named_and_takes_no_other_with_it",
    ),
    (
        "rows that are alike taken for one, where there is no id",
        f"{LANDING}::test_identical_rows_without_ids_stay_apart_and_keep_their_ids",
    ),
    (
        "rows that are alike taken for one, where their ids differ",
        f"{MISTAKES}::test_orders_that_are_alike_but_for_their_key_are_all_counted",
    ),
    (
        "what cannot be read as NULL, names as nothing, a byte order mark in a name",
        f"{LANDING}::test_values_that_do_not_parse_are_quarantined_with_the_reason",
    ),
    (
        "numbers in another notation read as if it were ours",
        "tests/unit/test_rules.py::test_counts_in_another_notation_are_faults",
    ),
    (
        "30/6/24 and 6/30/24",
        f"{LANDING}::test_time_without_offset_is_read_in_the_sources_zone",
    ),
    ("totals in 32 bits", f"{MISTAKES}::test_totals_go_beyond_thirty_two_bits"),
    (
        "impressions and clicks in 32 bits",
        f"{MODELS}/kpis/_kpis__unit_tests.yml::"
        "a_period_has_the_reach_reported_for_it_and_never_a_sum_of_days",
    ),
    (
        "odd rows dropped or mended, currencies added",
        f"{MISTAKES}::test_odd_exposure_is_flagged_and_summed_as_reported",
    ),
    (
        "odd rows that nobody is told of",
        "tests/unit/test_expectations.py::test_what_breaks_an_expectation_breaks_it_alone",
    ),
    (
        "costs of several currencies added at the door",
        f"{LANDING}::test_only_costs_of_one_currency_are_added_and_no_cost_is_not_0",
    ),
    (
        "half a day passed off as a day",
        f"{MISTAKES}::test_a_half_day_holds_the_report_of_who_needs_it_and_no_other",
    ),
    (
        "a day that goes silent",
        "tests/unit/test_audit.py::test_freshness_is_told_by_the_clocks_of_the_product",
    ),
    (
        "reach and visitors of days summed into a month",
        f"{MISTAKES}::test_daily_reach_and_visitors_are_never_summed_into_a_month",
    ),
    (
        "reach of days summed into a week",
        f"{MODELS}/kpis/_kpis__unit_tests.yml::"
        "a_period_has_the_reach_reported_for_it_and_never_a_sum_of_days",
    ),
    (
        "limits from ranges of 0, from one point, from a tiny base",
        f"{MISTAKES}::test_what_says_too_little_is_not_judged_and_the_reason_is_given",
    ),
    (
        "the only member of a dimension",
        "tests/property/test_driver_properties.py::test_one_member_is_all_of_the_change",
    ),
)


@cache
def _tests_in(path: Path) -> frozenset[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yml":
        return frozenset(test["name"] for test in yaml.safe_load(text)["unit_tests"])
    return frozenset(
        node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)
    )


@pytest.mark.parametrize(("trap", "test"), TRAPS, ids=[trap for trap, _ in TRAPS])
def test_a_trap_has_the_test_that_is_named_for_it(trap: str, test: str) -> None:
    path, _, name = test.partition("::")
    assert name in _tests_in(ROOT / path), f"{trap}: {test} is gone"
    assert path.endswith(".yml") or name.startswith("test_")


def test_the_tests_of_known_mistakes_are_each_named_for_a_trap() -> None:
    named = {test.partition("::")[2] for _, test in TRAPS if test.startswith(MISTAKES)}
    written = {name for name in _tests_in(ROOT / MISTAKES) if name.startswith("test_")}
    assert written == named
