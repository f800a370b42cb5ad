"""What the checks compare with: the defaults of `expectations/`, and what `checks.yml` sets."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.workspace.problems import Problems, nearest, one_of
from kpi_pipeline.workspace.yaml_file import Mapping, Node, read

FILE = "checks.yml"
DEFAULTS_FILE = "thresholds.yml"
SHARE = "share"
_DEFAULT_KEYS = {"name", "value", "unit", "reason"}
_OVERRIDE_KEYS = ("threshold", "value", "feed", "product", "reason")
_ACCEPTED_KEYS = ("feed", "product", "from", "to", "reason")


@dataclass(frozen=True)
class Threshold:
    """A default. unit: `share` (0 to 1), or what `value` counts."""

    name: str
    value: float
    unit: str
    reason: str


@dataclass(frozen=True)
class Override:
    """Another value, for a feed, a product or both; None: for all."""

    name: str
    value: float
    feed: str | None
    product: str | None


@dataclass(frozen=True)
class AcceptedDays:
    """Days `[first, last]` somebody looked at and takes as they are."""

    feed: str
    product: str
    first: date
    last: date
    reason: str

    def holds(self, feed: str, product: str, day: date) -> bool:
        return (feed, product) == (self.feed, self.product) and self.first <= day <= self.last


@dataclass(frozen=True)
class Thresholds:
    """The values that hold in a workspace."""

    defaults: tuple[Threshold, ...] = ()
    overrides: tuple[Override, ...] = ()
    accepted: tuple[AcceptedDays, ...] = ()

    def of(self, feed: str, product: str) -> dict[str, float]:
        """Every threshold by name; product goes before feed, both before either."""
        values = {default.name: default.value for default in self.defaults}
        for scope in ((None, None), (feed, None), (None, product), (feed, product)):
            values |= {o.name: o.value for o in self.overrides if (o.feed, o.product) == scope}
        return values

    def why_accepted(self, feed: str, product: str, day: date) -> str | None:
        """The reason given for a day that is accepted, else None."""
        return next((a.reason for a in self.accepted if a.holds(feed, product, day)), None)


NO_THRESHOLDS = Thresholds()


def load_thresholds(workspace: Path, expectations: Path) -> Thresholds:
    """What holds in a workspace; raises ConfigurationError that lists every problem."""
    problems = Problems()
    thresholds = read_thresholds(workspace, expectations, None, problems)
    problems.raise_if_any(workspace)
    return thresholds


def read_thresholds(
    root: Path, expectations: Path, products: Collection[str] | None, problems: Problems
) -> Thresholds:
    """The defaults, under what `checks.yml` sets; the file may be missing.

    products: the ones there are; None or empty leaves their names unchecked. Raises
    ConfigurationError when the defaults are wrong, which no workspace can mend.
    """
    defaults = read_defaults(expectations / DEFAULTS_FILE)
    node = read(root / FILE, problems) if (root / FILE).exists() else None
    if node is None:
        return Thresholds(defaults)
    top = Mapping(FILE, "", node, ("thresholds", "accepted"), problems)
    overrides: dict[tuple[str, str | None, str | None], tuple[Override, int]] = {}
    for entry in _entries(top, "thresholds", _OVERRIDE_KEYS):
        override = _override(entry, defaults, products)
        if override is None:
            continue
        key = (override.name, override.feed, override.product)
        if key in overrides:
            entry.add(
                "threshold",
                f"'{override.name}' was already set for the same in line {overrides[key][1]}; "
                "expected it once.",
            )
        overrides[key] = override, entry.node.line
    accepted = [_accepted(entry, products) for entry in _entries(top, "accepted", _ACCEPTED_KEYS)]
    return Thresholds(
        defaults,
        tuple(override for override, _ in overrides.values()),
        tuple(days for days in accepted if days is not None),
    )


def read_defaults(path: Path) -> tuple[Threshold, ...]:
    """Every threshold; raises ConfigurationError that names file and entry."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is missing; thresholds are read from it.") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(entries, list):
        raise ConfigurationError(f"{path} must be a list of thresholds.")
    found: dict[str, Threshold] = {}
    for position, entry in enumerate(entries, 1):
        where = f"{path}, threshold {position}"
        if not isinstance(entry, dict) or set(entry) != _DEFAULT_KEYS:
            keys = ", ".join(sorted(_DEFAULT_KEYS))
            raise ConfigurationError(f"{where}: expected exactly the keys {keys}.")
        wrong = _wrong_value(str(entry["value"]), str(entry["unit"]))
        if wrong:
            raise ConfigurationError(f"{where}: value {wrong}")
        name = str(entry["name"])
        if name in found:
            raise ConfigurationError(f"{where}: {name} is there twice.")
        found[name] = Threshold(name, float(entry["value"]), entry["unit"], entry["reason"])
    return tuple(found.values())


def _entries(top: Mapping, key: str, keys: tuple[str, ...]) -> list[Mapping]:
    node: Node | None = top.items.get(key)
    if node is None or node.value == "":
        return []
    if not isinstance(node.value, list):
        top.add(key, f"is not a list; expected entries with the keys {one_of(keys)}.")
        return []
    return [
        Mapping(FILE, f"{key}[{number}]", item, keys, top.problems)
        for number, item in enumerate(node.value, 1)
    ]


def _override(
    entry: Mapping, defaults: tuple[Threshold, ...], products: Collection[str] | None
) -> Override | None:
    units = {default.name: default.unit for default in defaults}
    name = entry.text("threshold", expected="the name of a threshold")
    value = entry.text("value", expected="a number")
    feed = entry.choice("feed", tuple(FEEDS)) if "feed" in entry else None
    product = entry.text("product", expected="a product_id") if "product" in entry else None
    _check_product(entry, product, products)
    entry.optional("reason")
    if name is None or value is None:
        return None
    if name not in units:
        entry.add(
            "threshold",
            f"there is no threshold '{name}'."
            f"{nearest(name, units) or f' Expected {one_of(sorted(units))}.'}",
        )
        return None
    wrong = _wrong_value(value, units[name])
    if wrong:
        entry.add("value", wrong)
        return None
    return Override(name, float(value), feed, product)


def _accepted(entry: Mapping, products: Collection[str] | None) -> AcceptedDays | None:
    feed = entry.choice("feed", tuple(FEEDS))
    product = entry.text("product", expected="a product_id")
    _check_product(entry, product, products)
    first = entry.date("from")
    last = entry.date("to") if "to" in entry else first
    reason = entry.text("reason", expected="a sentence that says why the days are right")
    if feed is None or product is None or first is None or last is None or reason is None:
        return None
    if last < first:
        entry.add("to", f"{last} is before {first}; expected the day of `from` or a later one.")
    return AcceptedDays(feed, product, first, last, reason)


def _check_product(entry: Mapping, product: str | None, products: Collection[str] | None) -> None:
    if product is not None and products and product not in products:
        entry.add(
            "product",
            f"'{product}' is not in organisation/products.csv.{nearest(product, products)}",
        )


def _wrong_value(text: str, unit: str) -> str | None:
    try:
        value = float(text)
    except ValueError:
        return f"'{text}' is not a number."
    if not math.isfinite(value) or value < 0:
        return f"'{text}' is not a number of 0 or more."
    if unit == SHARE and value > 1:
        return f"'{text}' is not a share; expected a number from 0 to 1."
    return None
