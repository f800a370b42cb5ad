"""What the checks compare with: defaults, what a workspace sets over them, and accepted days."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml
from landing_workspace import PROJECT

from kpi_pipeline import workspace
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.workspace import write_template
from kpi_pipeline.workspace.thresholds import (
    AcceptedDays,
    Override,
    load_thresholds,
    read_defaults,
)

EXPECTATIONS = PROJECT / "expectations"
CHECKS = """\
thresholds:
  - {threshold: volume_low_share, value: 0.4}
  - {threshold: volume_low_share, value: 0.3, feed: page_views, reason: Small.}
  - {threshold: volume_low_share, value: 0.2, product: shop}
  - {threshold: volume_low_share, value: 0.1, feed: page_views, product: shop}
  - {threshold: outlier_times, value: 1e3, feed: exposure}
accepted:
  - {feed: page_views, product: shop, from: 2024-12-25, to: 2024-12-26, reason: Christmas.}
  - {feed: traffic, product: shop, from: 2024-12-25, reason: Christmas.}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "checks.yml").write_text(text)
    return folder


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_thresholds(written(folder, text), EXPECTATIONS)
    return [line.removeprefix("  - ") for line in str(caught.value).splitlines()[1:]]


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    thresholds = load_thresholds(tmp_path, EXPECTATIONS)
    listed = yaml.safe_load((EXPECTATIONS / "thresholds.yml").read_text())
    assert thresholds.of("page_views", "shop") == {one["name"]: one["value"] for one in listed}
    assert (thresholds.overrides, thresholds.accepted) == ((), ())


def test_the_most_specific_value_holds(tmp_path: Path) -> None:
    thresholds = load_thresholds(written(tmp_path, CHECKS), EXPECTATIONS)
    low = {
        (feed, product): thresholds.of(feed, product)["volume_low_share"]
        for feed in ("page_views", "traffic")
        for product in ("shop", "blog")
    }
    assert low == {
        ("page_views", "shop"): 0.1,
        ("page_views", "blog"): 0.3,
        ("traffic", "shop"): 0.2,
        ("traffic", "blog"): 0.4,
    }
    assert thresholds.overrides[-1] == Override("outlier_times", 1000.0, "exposure", None)


def test_a_day_is_accepted_for_its_feed_and_product_only(tmp_path: Path) -> None:
    thresholds = load_thresholds(written(tmp_path, CHECKS), EXPECTATIONS)
    first, last = date(2024, 12, 25), date(2024, 12, 26)
    assert thresholds.accepted == (
        AcceptedDays("page_views", "shop", first, last, "Christmas."),
        AcceptedDays("traffic", "shop", first, first, "Christmas."),
    )
    assert thresholds.why_accepted("page_views", "shop", last) == "Christmas."
    assert thresholds.why_accepted("traffic", "shop", first) == "Christmas."
    for key in (
        ("page_views", "shop", date(2024, 12, 27)),
        ("page_views", "shop", date(2024, 12, 24)),
        ("traffic", "shop", last),
        ("page_views", "blog", last),
        ("exposure", "shop", last),
    ):
        assert thresholds.why_accepted(*key) is None, key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["checks.yml: is empty; expected keys and values."]),
        (
            "treshold: []",
            [
                "checks.yml, line 1, key treshold: is not a known key; expected 'thresholds' or "
                "'accepted'. Did you mean 'thresholds'?"
            ],
        ),
        (
            "thresholds: 3",
            [
                "checks.yml, line 1, key thresholds: is not a list; expected entries with the "
                "keys 'threshold', 'value', 'feed', 'product' or 'reason'."
            ],
        ),
        (
            "thresholds:\n- {threshold: volume_low_shar, value: 0.1}",
            [
                "checks.yml, line 2, key thresholds[1].threshold: there is no threshold "
                "'volume_low_shar'. Did you mean 'volume_low_share'?"
            ],
        ),
        (
            "thresholds:\n- {threshold: volume_low_share}",
            ["checks.yml, line 2, key thresholds[1].value: is missing; expected a number."],
        ),
        (
            "thresholds:\n- {threshold: volume_low_share, value: 50}",
            [
                "checks.yml, line 2, key thresholds[1].value: '50' is not a share; expected a "
                "number from 0 to 1."
            ],
        ),
        (
            "thresholds:\n- threshold: outlier_times\n  value: many",
            ["checks.yml, line 3, key thresholds[1].value: 'many' is not a number."],
        ),
        (
            "thresholds:\n- {threshold: outlier_times, value: -1}\n"
            "- {threshold: outlier_times, value: .nan}",
            [
                "checks.yml, line 2, key thresholds[1].value: '-1' is not a number of 0 or more.",
                "checks.yml, line 3, key thresholds[2].value: '.nan' is not a number.",
            ],
        ),
        (
            "thresholds:\n- {threshold: span_hours, value: 1, feed: pageviews}",
            [
                "checks.yml, line 2, key thresholds[1].feed: 'pageviews' is not 'page_views', "
                "'traffic', 'exposure' or 'user_growth'. Did you mean 'page_views'?"
            ],
        ),
        (
            "thresholds:\n- {threshold: span_hours, value: 1, product: a}\n"
            "- {threshold: span_hours, value: 2}\n- {threshold: span_hours, value: 3, product: a}",
            [
                "checks.yml, line 4, key thresholds[3].threshold: 'span_hours' was already set for "
                "the same in line 2; expected it once."
            ],
        ),
        (
            "accepted:\n- {feed: traffic, product: a, from: 2024-01-02, to: 2024-01-01, reason: r}",
            [
                "checks.yml, line 2, key accepted[1].to: 2024-01-01 is before 2024-01-02; expected "
                "the day of `from` or a later one."
            ],
        ),
        (
            "accepted:\n- {feed: traffic, product: a, from: 1 May}",
            [
                "checks.yml, line 2, key accepted[1].from: '1 May' is not a date written "
                "YYYY-MM-DD.",
                "checks.yml, line 2, key accepted[1].reason: is missing; expected a sentence that "
                "says why the days are right.",
            ],
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems(tmp_path, text) == expected


def test_a_workspace_names_a_product_that_is_not_there(tmp_path: Path) -> None:
    write_template(tmp_path)
    written(tmp_path, "accepted: [{feed: traffic, product: websit, from: 2024-01-01, reason: r}]")
    with pytest.raises(ConfigurationError) as caught:
        workspace.load(tmp_path)
    assert str(caught.value).splitlines()[1:] == [
        "  - checks.yml, line 1, key accepted[1].product: 'websit' is not in "
        "organisation/products.csv. Did you mean 'website'?"
    ]


def test_a_loaded_workspace_has_its_thresholds(tmp_path: Path) -> None:
    write_template(tmp_path)
    assert workspace.load(tmp_path).thresholds == load_thresholds(tmp_path, EXPECTATIONS)
    written(tmp_path, "thresholds: [{threshold: span_hours, value: 9, product: website}]")
    assert workspace.load(tmp_path).thresholds.of("page_views", "website")["span_hours"] == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", "must be a list"),
        ("- {name: a, value: 1, unit: rows}", "threshold 1: expected exactly the keys"),
        ("- {name: a, value: 2, unit: share, reason: r}", "threshold 1: value '2' is not a share"),
        (
            "- {name: a, value: 2, unit: rows, reason: r}\n"
            "- {name: a, value: 2, unit: rows, reason: r}",
            "threshold 2: a is there twice",
        ),
    ],
)
def test_wrong_defaults_name_file_and_entry(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "thresholds.yml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_defaults(path)
    assert str(path) in str(caught.value)
    with pytest.raises(ConfigurationError, match="is missing"):
        read_defaults(tmp_path / "none.yml")
