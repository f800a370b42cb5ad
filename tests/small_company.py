"""A company small enough to rebuild in seconds: three products, three time zones, daily files.

Every file is made from the day's name alone, so a day can be written late, again, or corrected.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from kpi_pipeline import settings as settings_module
from kpi_pipeline.settings import Settings

ZONES = {"rio": "America/Sao_Paulo", "nara": "Asia/Tokyo", "york": "America/New_York"}
FEEDS = {
    "rio": ("page_views", "exposure", "user_growth"),
    "nara": ("page_views", "traffic", "user_growth"),
    "york": ("traffic", "exposure"),
}
#: The tables of a feed that have files; the others have one of the feed's name.
TABLES = {
    "user_growth": ("users", "activity", "content"),
    "exposure": ("exposure", "exposure_reach", "exposure_market"),
    "traffic": ("traffic", "traffic_uniques"),
}
ORGANISATION = {
    "company": """name,currency,time_zone,week_start,fiscal_year_start_month
Small Company,EUR,UTC,monday,1
""",
    "products": """product_id,name,time_zone,currency,started_on,identity_space,traffic_source,\
margin_share,point_cost
rio,Rio,America/Sao_Paulo,BRL,2024-01-10,shared,own,0.4,0.05
nara,Nara,Asia/Tokyo,JPY,2024-01-10,shared,own,0.6,
york,York,America/New_York,USD,2024-01-10,york,backend,,
""",
    "product_stages": """product_id,stage,valid_from,valid_to
rio,brand,2024-01-10,2024-02-15
rio,growth,2024-02-15,
nara,growth,2024-01-10,
york,brand,2024-01-10,
""",
    "teams": """team,name
content,Content
user,User
business,Business
new_media,New media
promotion,Promotion
""",
    "people": """person_id,name,rank,team,manager,email,locale,time_zone,valid_from,valid_to
dan,Dan,director,,,dan@example.org,en,UTC,2024-01-01,
mia,Mia,manager,content,dan,mia@example.org,es,UTC,2024-01-01,
sam,Sam,specialist,content,mia,sam@example.org,en,UTC,2024-01-01,
eva,Eva,specialist,promotion,dan,eva@example.org,es,Asia/Tokyo,2024-01-01,
""",
    "ownership": """person_id,what,which,product_id,valid_from,valid_to
sam,product,rio,,2024-01-01,2024-02-12
sam,page_prefix,/guides,nara,2024-01-01,
eva,channel,paid_search,,2024-01-01,
eva,product,rio,,2024-02-12,
eva,campaign,spring,rio,2024-01-01,
""",
    "channels": """channel,name
paid_search,Paid search
organic_search,Organic search
email,Email
direct,Direct
""",
    "channel_rules": """position,channel,field,pattern
10,paid_search,utm_medium,cpc
20,email,utm_medium,email
30,paid_search,click_id,gclid
40,organic_search,referrer_host,.*google\\..*
90,direct,direct,
""",
    "targets": """kpi_id,scope_kind,scope_id,product_id,grain,period_start,value
visits,product,rio,rio,month,2024-02-01,500
sign_ups,company,(all),(all),month,2024-02-01,60
visits,person,sam,(all),day,2024-02-05,20
""",
    "activity_kinds": """kind,is_active,is_activation,is_order,points
post,true,true,false,
visit,false,false,false,
buy,false,false,true,
earn,false,false,false,issued
spend,true,false,false,redeemed
""",
    "exchange_rates": """currency,valid_from,rate
BRL,2024-01-01,0.185
JPY,2024-01-01,0.0062
USD,2024-01-01,0.92
USD,2024-02-10,0.93
""",
    "exclusions": """product_id,kind,value,reason
rio,user,u-7,Test account
,path_prefix,/admin,Own staff
""",
}
REPORTS = """mail_from: 2024-01-01
reports:
""" + "".join(
    f'  {report}: {{send_at: "06:00", deadline: "09:00", deadline_days: 0, on_missing: withhold, '
    "max_age_days: 3, second_edition: true}\n"
    for report in (
        "specialist_daily",
        "manager_weekly",
        "director_monthly",
        "director_quarterly",
    )
)


def write_workspace(
    root: Path,
    organisation: dict[str, str] | None = None,
    feeds: Mapping[str, Sequence[str]] = FEEDS,
) -> Path:
    """Write the configuration, without data; returns the workspace's folder.

    organisation: tables that replace those above. feeds: the feeds of each product.
    """
    folder = root / "workspace"
    (folder / "organisation").mkdir(parents=True, exist_ok=True)
    for name, text in {**ORGANISATION, **(organisation or {})}.items():
        (folder / "organisation" / f"{name}.csv").write_text(text)
    (folder / "reports.yml").write_text(REPORTS)
    lines = ["give_up_at: {page_views: '03:00', traffic: '03:00', exposure: '03:00', "]
    lines[0] += "user_growth: '03:00'}\n\nsources:\n"
    for product, names in feeds.items():
        for feed in names:
            for table in TABLES.get(feed, (feed,)):
                lines.append(
                    f"  - {{feed: {feed}, table: {table}, product: {product}, format: csv, "
                    f"files: 'data/{product}/{table}/{{day}}.csv', arrival: file_per_day}}\n"
                )
    (folder / "sources.yml").write_text("".join(lines))
    return folder


def settings_for(root: Path, workspace: Path) -> Settings:
    """Settings whose home is `root/home`."""
    return settings_module.from_environment(
        {
            "KPI_WORKSPACE": str(workspace),
            "KPI_HOME": str(root / "home"),
            "KPI_HASH_KEY": "a key for tests",
        }
    )


def write_day(
    workspace: Path,
    day: date,
    edition: int = 0,
    only: Iterable[str] | None = None,
    feeds: Mapping[str, Sequence[str]] = FEEDS,
) -> None:
    """Write every file of a local day; another `edition` gives other rows for the same day.

    only: `product/table` names, all when None. feeds: the feeds of each product.
    """
    wanted = None if only is None else set(only)
    for product, names in feeds.items():
        chance = random.Random(f"{product} {day} {edition}")
        for name, rows in _tables(product, names, day, chance).items():
            if wanted is None or f"{product}/{name}" in wanted:
                _write(workspace / "data" / product / name / f"{day}.csv", rows)


def add_rows(
    workspace: Path, product: str, table: str, day: date, rows: Sequence[Mapping[str, object]]
) -> None:
    """Append rows to a file `write_day` wrote; columns not named are empty."""
    path = workspace / "data" / product / table / f"{day}.csv"
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.DictWriter(file, COLUMNS[table]).writerows(rows)


def _tables(
    product: str, feeds: Sequence[str], day: date, chance: random.Random
) -> dict[str, list[dict[str, object]]]:
    tables: dict[str, list[dict[str, object]]] = {}
    if "page_views" in feeds:
        tables["page_views"] = _page_views(product, day, chance)
    if "traffic" in feeds:
        tables["traffic"] = [
            {
                "date": day,
                "source": source,
                "medium": medium,
                "campaign": "",
                "device": device,
                "visits": chance.randint(5, 40),
                "page_views": chance.randint(40, 90),
                "bounces": chance.randint(0, 5),
                "duration_seconds": chance.randint(100, 900),
            }
            for source, medium in (("google", "cpc"), ("(direct)", "(none)"), ("", ""))
            for device in ("desktop", "mobile")
        ]
        tables["traffic_uniques"] = _uniques(product, day)
    if "exposure" in feeds:
        tables["exposure"] = [
            {
                "date": day,
                "channel": channel,
                "campaign": campaign,
                "placement": "top",
                "content_id": "",
                "impressions": chance.randint(100, 3000),
                "clicks": chance.randint(0, 60),
                "cost": "" if channel == "email" else f"{chance.random() * 40:.2f}",
                "currency": "BRL" if product == "rio" else "USD",
            }
            for channel, campaign in (("paid_search", "spring"), ("email", ""))
        ]
        tables |= _reach_and_market(product, day, tables["exposure"])
    if "user_growth" in feeds:
        tables["users"], tables["activity"] = _users(product, day, chance)
        tables["content"] = _content(product, day)
    return tables


def _reach_and_market(
    product: str, day: date, shown: Sequence[dict[str, object]]
) -> dict[str, list[dict[str, object]]]:
    """Some rows and scopes have a reach, some days a market."""
    chance = random.Random(f"{product} {day} reach")
    for row in shown:
        row["reach"] = chance.choice(["", chance.randint(20, 90)])
    scopes = [("product", product), ("channel", "email"), ("campaign", "spring"), ("person", "eva")]
    if product == "rio":
        scopes += [("company", "(all)"), ("placement", "top")]
    channels = ("paid_search", "email", "display")
    return {
        "exposure_reach": [
            {**period, "reach": chance.randint(90, 900)} for period in _periods(day, scopes, chance)
        ],
        "exposure_market": [
            {"date": day, "channel": channel, "market_impressions": chance.randint(1, 90_000)}
            for channel in channels
            if chance.random() < 0.6
        ],
    }


def _uniques(product: str, day: date) -> list[dict[str, object]]:
    """What a backend says of the product, a channel and a campaign."""
    chance = random.Random(f"{product} {day} uniques")
    scopes = [("product", product), ("channel", "paid_search"), ("device", "mobile")]
    rows: list[dict[str, object]] = []
    for period in _periods(day, scopes, chance):
        visitors = chance.randint(50, 500)
        rows.append({**period, "visitors": visitors, "new_visitors": chance.randint(0, visitors)})
    return rows


def _periods(
    day: date, scopes: Sequence[tuple[str, str]], chance: random.Random
) -> list[dict[str, object]]:
    """Scopes with periods that end on a day; of each day three scopes in four are told."""
    periods = [("day", day)]
    if day.weekday() in (5, 6):
        periods.append(("week", day - timedelta(days=6)))
    if (day + timedelta(days=1)).day == 1:
        periods.append(("month", day.replace(day=1)))
    return [
        {"scope_kind": kind, "scope_id": scope_id, "grain": grain, "period_start": start}
        for grain, start in periods
        for kind, scope_id in scopes
        if grain != "day" or chance.random() < 0.75
    ]


def _content(product: str, day: date) -> list[dict[str, object]]:
    """Some days something is published; pages and ids of it are viewed before and after."""
    chance = random.Random(f"{product} {day} content")
    return [
        {
            "content_id": f"c-{chance.randint(1, 30)}-{number}",
            "content_type": chance.choice(["user", "user", "professional", "own"]),
            "published_at": _instant(product, day, chance).isoformat(),
            "url_path": chance.choice(["", "", *PATHS]),
        }
        for number in range(chance.randint(0, 2))
    ]


def _page_views(product: str, day: date, chance: random.Random) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number in range(chance.randint(20, 40)):
        visitor = chance.randint(1, 60)
        utm = chance.choice([("", "", ""), ("", "", ""), ("google", "cpc", "spring"),
                             ("news", "email", "weekly")])  # fmt: skip
        rows.append(
            {
                "event_id": f"{product}-{day}-{number}",
                "occurred_at": _instant(product, day, chance).isoformat(),
                "visitor_id": f"v-{visitor}",
                "url": f"https://{product}.example{chance.choice(PATHS)}",
                "referrer": chance.choice(["", "https://www.google.com/search?q=x"]),
                "utm_source": utm[0],
                "utm_medium": utm[1],
                "utm_campaign": utm[2],
                "device": chance.choice(["desktop", "mobile"]),
                "is_bot": "true" if visitor == 60 else "false",
            }
        )
    reading = random.Random(f"{product} {day} reading")
    for row in rows:
        row["content_id"] = reading.choice(["", f"c-{reading.randint(1, 30)}-0"])
    return [*rows, rows[0]]  # a repeated event_id counts once


PATHS = ("/", "/guides", "/guides/a", "/guidesbook", "/about/?x=1", "/admin/users")


def _users(
    product: str, day: date, chance: random.Random
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    serial = (day - date(2024, 1, 10)).days * 4
    users: list[dict[str, object]] = [
        {
            "user_id": f"u-{serial + n}",
            "signed_up_at": _instant(product, day, chance).isoformat(),
            "channel": chance.choice(["paid_search", "email", ""]),
            "campaign": chance.choice(["spring", ""]),
            "invited_by": f"u-{n}" if n % 3 == 2 else "",
        }
        for n in range(chance.randint(0, 4))
    ]
    activity: list[dict[str, object]] = [
        {
            "event_id": f"a-{product}-{day}-{n}",
            # some are active before they signed up, some never sign up
            "user_id": f"u-{chance.randint(0, serial + 12)}",
            "occurred_at": _instant(product, day, chance).isoformat(),
            "kind": chance.choice(["post", "post", "visit"]),
        }
        for n in range(chance.randint(5, 25))
    ]
    inviting = random.Random(f"{product} {day} invitations")
    for user in users:
        user["invited_by"] = f"u-{inviting.randint(0, 6)}" if inviting.random() < 0.4 else ""
    return users, activity + _transactions(product, day, serial)


def _transactions(product: str, day: date, serial: int) -> list[dict[str, object]]:
    """Orders and points of some users, drawn apart from all else."""
    chance = random.Random(f"{product} {day} transactions")
    rows: list[dict[str, object]] = []
    for n in range(chance.randint(0, 8)):
        kind = chance.choice(["buy", "buy", "earn", "spend"])
        rows.append(
            {
                "event_id": f"t-{product}-{day}-{n}",
                "user_id": f"u-{chance.randint(0, serial + 12)}",
                "occurred_at": _instant(product, day, chance).isoformat(),
                "kind": kind,
                "value": f"{chance.randint(1, 9000) / 100:.2f}",
                "currency": chance.choice(["", "", "USD"]) if kind == "buy" else "",
            }
        )
    return rows


def _instant(product: str, day: date, chance: random.Random) -> datetime:
    """A second of the local day, in UTC; days are 24 hours long in the days used here."""
    midnight = datetime.combine(day, time(), ZoneInfo(ZONES[product]))
    return midnight.astimezone(UTC) + timedelta(seconds=chance.randint(0, 86_399))


def _write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = COLUMNS[path.parent.name]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)


COLUMNS = {
    "page_views": [
        "event_id", "occurred_at", "visitor_id", "url", "referrer",
        "utm_source", "utm_medium", "utm_campaign", "device", "content_id", "is_bot",
    ],
    "traffic": [
        "date", "source", "medium", "campaign", "device", "visits", "page_views", "bounces",
        "duration_seconds",
    ],
    "exposure": [
        "date", "channel", "campaign", "placement", "content_id", "impressions", "clicks", "cost",
        "currency", "reach",
    ],
    "exposure_reach": ["scope_kind", "scope_id", "grain", "period_start", "reach"],
    "exposure_market": ["date", "channel", "market_impressions"],
    "traffic_uniques": [
        "scope_kind", "scope_id", "grain", "period_start", "visitors", "new_visitors",
    ],
    "content": ["content_id", "content_type", "published_at", "url_path"],
    "users": ["user_id", "signed_up_at", "channel", "campaign", "invited_by"],
    "activity": ["event_id", "user_id", "occurred_at", "kind", "value", "currency"],
}  # fmt: skip
