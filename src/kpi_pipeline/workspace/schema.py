"""The organisation tables: columns, types, keys and which columns name rows of other tables."""

from __future__ import annotations

from dataclasses import dataclass

from kpi_pipeline.periods import GRAINS, WEEKDAYS
from kpi_pipeline.workspace.model import OrgColumn

ALL = "(all)"
TEAMS = ("content", "user", "business", "new_media", "promotion")
STAGES = ("brand", "growth")
SCOPE_KINDS = ("company", "product", "team", "person", "channel")
RULE_FIELDS = (
    "utm_medium",
    "utm_source",
    "utm_campaign",
    "click_id",
    "referrer_host",
    "referrer_kind",
    "code",
    "direct",
)


@dataclass(frozen=True)
class TableSpec:
    """A table's file is `organisation/<name>.csv`. `key`: the columns no two rows may share."""

    name: str
    columns: tuple[OrgColumn, ...]
    key: tuple[str, ...] = ()
    required: bool = False
    one_row: bool = False


def _text(name: str, *, refers: str | None = None, form: str | None = None) -> OrgColumn:
    return OrgColumn(name, refers=refers, form=form)


def _choice(name: str, choices: tuple[str, ...], *, required: bool = True) -> OrgColumn:
    return OrgColumn(name, required=required, choices=choices)


def _optional(name: str, *, refers: str | None = None, form: str | None = None) -> OrgColumn:
    return OrgColumn(name, required=False, refers=refers, form=form)


_VALID_FROM = OrgColumn("valid_from", "date")
_VALID_TO = OrgColumn("valid_to", "date", required=False)
_PRODUCT = _text("product_id", refers="products.product_id")
_MAYBE_PRODUCT = _optional("product_id", refers="products.product_id")
_PERSON = _text("person_id", refers="people.person_id")
_CHANNEL = _text("channel", refers="channels.channel")

_SPECS = (
    TableSpec(
        "company",
        (
            _text("name"),
            _text("currency", form="currency"),
            _text("time_zone", form="time_zone"),
            _choice("week_start", WEEKDAYS),
            OrgColumn("fiscal_year_start_month", "integer", form="month"),
        ),
        required=True,
        one_row=True,
    ),
    TableSpec(
        "products",
        (
            _text("product_id", form="identifier"),
            _text("name"),
            _text("time_zone", form="time_zone"),
            _text("currency", form="currency"),
            OrgColumn("started_on", "date"),
            _text("identity_space"),
            _choice("traffic_source", ("own", "backend")),
            OrgColumn("margin_share", "number", required=False, form="share"),
            OrgColumn("point_cost", "number", required=False, form="not_negative"),
        ),
        key=("product_id",),
        required=True,
    ),
    TableSpec(
        "product_stages",
        (_PRODUCT, _choice("stage", STAGES), _VALID_FROM, _VALID_TO),
        required=True,
    ),
    TableSpec(
        "stage_criteria",
        (
            _choice("from_stage", STAGES),
            _choice("to_stage", STAGES),
            _text("kpi_id"),
            OrgColumn("threshold", "number"),
            OrgColumn("periods", "integer", form="positive"),
        ),
        key=("from_stage", "to_stage", "kpi_id"),
    ),
    TableSpec(
        "teams",
        (_choice("team", TEAMS), _text("name")),
        key=("team",),
        required=True,
    ),
    TableSpec(
        "people",
        (
            _text("person_id", form="identifier"),
            _text("name"),
            _choice("rank", ("specialist", "manager", "director")),
            _optional("team", refers="teams.team"),
            _optional("manager", refers="people.person_id"),
            _text("email", form="email"),
            _choice("locale", ("en", "es")),
            _text("time_zone", form="time_zone"),
            _VALID_FROM,
            _VALID_TO,
        ),
        required=True,
    ),
    TableSpec(
        "ownership",
        (
            _PERSON,
            _choice("what", ("product", "channel", "campaign", "page_prefix")),
            _text("which"),
            _MAYBE_PRODUCT,
            _VALID_FROM,
            _VALID_TO,
        ),
        required=True,
    ),
    TableSpec(
        "channels",
        (_text("channel", form="identifier"), _text("name")),
        key=("channel",),
        required=True,
    ),
    TableSpec(
        "channel_rules",
        (
            OrgColumn("position", "integer"),
            _CHANNEL,
            _choice("field", RULE_FIELDS),
            _optional("pattern"),
        ),
        key=("position",),
        required=True,
    ),
    TableSpec("channel_codes", (_text("code"), _CHANNEL, _text("name")), key=("code",)),
    TableSpec(
        "targets",
        (
            _text("kpi_id"),
            _choice("scope_kind", SCOPE_KINDS),
            _text("scope_id"),
            _optional("product_id"),
            _choice("grain", GRAINS),
            OrgColumn("period_start", "date"),
            OrgColumn("value", "number"),
        ),
        key=("kpi_id", "scope_kind", "scope_id", "product_id", "grain", "period_start"),
    ),
    TableSpec(
        "calendar",
        (OrgColumn("day", "date"), _text("name"), _text("kind"), _MAYBE_PRODUCT),
        key=("day", "name", "product_id"),
    ),
    TableSpec(
        "annotations",
        (
            OrgColumn("day", "date"),
            _optional("kpi_id"),
            _choice("scope_kind", SCOPE_KINDS, required=False),
            _optional("scope_id"),
            _text("text"),
            OrgColumn("rebase", "boolean"),
        ),
    ),
    TableSpec(
        "decisions",
        (OrgColumn("decided_on", "date"), _PERSON, _MAYBE_PRODUCT, _text("text")),
    ),
    TableSpec(
        "activity_kinds",
        (
            _text("kind"),
            OrgColumn("is_active", "boolean"),
            OrgColumn("is_activation", "boolean"),
            OrgColumn("is_order", "boolean"),
            _choice("points", ("issued", "redeemed"), required=False),
        ),
        key=("kind",),
    ),
    TableSpec(
        "exchange_rates",
        (_text("currency", form="currency"), _VALID_FROM, OrgColumn("rate", "number", form="rate")),
        key=("currency", "valid_from"),
    ),
    TableSpec(
        "playbook",
        (
            _text("kpi_id"),
            _choice("stage", STAGES),
            _choice("condition", ("below_target", "above_target", "signal_up", "signal_down")),
            _text("action"),
            _optional("action_es"),
        ),
        key=("kpi_id", "stage", "condition", "action"),
    ),
    TableSpec(
        "exclusions",
        (
            _MAYBE_PRODUCT,
            _choice("kind", ("user", "visitor", "utm_source", "path_prefix")),
            _text("value"),
            _text("reason"),
        ),
        key=("product_id", "kind", "value"),
    ),
)

TABLES: dict[str, TableSpec] = {spec.name: spec for spec in _SPECS}
