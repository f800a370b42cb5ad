"""A workspace is loaded whole, or refused with every problem in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, time
from pathlib import Path

import pytest

from kpi_pipeline import workspace
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.periods import Calendar
from kpi_pipeline.workspace import Aggregate, Person, Policy, Product, Source, sources
from kpi_pipeline.workspace.model import Pages, Share, Unpivot

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "harbour_group"

FILES = {
    "sources.yml": """\
give_up_at: {page_views: "06:30"}
sources:
  - feed: page_views
    product: shop
    files: data/{day}.csv.gz
    format: csv
    arrival: file_per_day
    columns: {occurred_at: ts}
    constants: {device: desktop}
    time_format: "%Y-%m-%d %H:%M:%S"
    time_zone: Europe/Madrid
    null_tokens: ["", "NULL"]
  - feed: exposure
    product: shop
    files: data/ads/*.csv
    format: csv
    delimiter: ";"
    arrival: covering
    last_day_complete: true
    aggregate: {date_from: at, count: impressions, sum: {clicks: click}}
    on_repeat: sum
""",
    "reports.yml": """\
mail_from: 2024-06-30
reports:
  specialist_daily: {send_at: "07:00", deadline: "11:00"}
  director_monthly: {send_at: "08:00", deadline: "07:00", deadline_days: 2, on_missing: skip,
    max_age_days: 9, second_edition: false, second_edition_days: 4}
""",
    "company": "name,currency,time_zone,week_start,fiscal_year_start_month\nC,EUR,UTC,sunday,4\n",
    "products": (
        "product_id,name,time_zone,currency,started_on,identity_space,traffic_source\n"
        "shop,Shop,Europe/Madrid,EUR,2024-01-01,shop,own\n"
    ),
    "product_stages": "product_id,stage,valid_from,valid_to\nshop,brand,2024-01-01,\n",
    "teams": "team,name\ncontent,Content\n",
    "people": (
        "person_id,name,rank,team,manager,email,locale,time_zone,valid_from,valid_to\n"
        "ana,Ana,manager,content,,ana@example.org,es,Europe/Madrid,2024-01-01,2024-03-01\n"
        "ana,Ana,director,,,ana@example.org,es,UTC,2024-03-01,\n"
    ),
    "ownership": (
        "person_id,what,which,product_id,valid_from,valid_to\nana,product,shop,,2024-01-01,\n"
    ),
    "channels": "channel,name\nemail,Email\ndirect,Direct\n",
    "channel_rules": (
        "position,channel,field,pattern\n1,email,utm_medium,e-?mail\n2,direct,direct,\n"
    ),
    "targets": (
        "kpi_id,scope_kind,scope_id,product_id,grain,period_start,value\n"
        "visits,company,(all),,week,2024-06-23,100\n"
        "visits,product,shop,,quarter,2024-04-01,1e3\n"
    ),
    "activity_kinds": "kind,is_active,is_activation,is_order,points\nlogin,true,false,FALSE,\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / (name if name.endswith(".yml") else f"organisation/{name}.csv")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def problems(folder: Path) -> list[str]:
    """What `load` says is wrong, without the first line."""
    with pytest.raises(ConfigurationError) as caught:
        workspace.load(folder)
    head, *lines = str(caught.value).splitlines()
    count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
    assert head == f"The workspace {folder} has {count}:"
    return [line.removeprefix("  - ") for line in lines]


def change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / (name if name.endswith(".yml") else f"organisation/{name}.csv")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(folder: Path, table: str, *rows: str) -> None:
    path = folder / "organisation" / f"{table}.csv"
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{row}\n" for row in rows)


def test_everything_is_read(folder: Path) -> None:
    loaded = workspace.load(folder)
    views = Source(
        feed="page_views",
        table="page_views",
        product="shop",
        files="data/{day}.csv.gz",
        format="csv",
        arrival="file_per_day",
        columns={"occurred_at": "ts"},
        constants={"device": "desktop"},
        time_format="%Y-%m-%d %H:%M:%S",
        time_zone="Europe/Madrid",
        null_tokens=("", "NULL"),
    )
    ads = Source(
        feed="exposure",
        table="exposure",
        product="shop",
        files="data/ads/*.csv",
        format="csv",
        arrival="covering",
        last_day_complete=True,
        delimiter=";",
        aggregate=Aggregate("at", "impressions", {"clicks": "click"}),
        on_repeat="sum",
    )
    shop = Product(
        "shop", "Shop", "Europe/Madrid", "EUR", date(2024, 1, 1), "shop", "own", None, None
    )
    spring = date(2024, 3, 1)
    ana = ("ana@example.org", "es")
    assert loaded.root == folder
    assert loaded.sources == (views, ads)
    assert loaded.give_up_at == {
        "page_views": time(6, 30),
        "traffic": time(12),
        "exposure": time(12),
        "user_growth": time(12),
    }
    assert loaded.policies == {
        "specialist_daily": Policy(
            "specialist_daily", "day", "specialist", time(7), time(11), 0, "withhold", 3, True, 5
        ),
        "director_monthly": Policy(
            "director_monthly", "month", "director", time(8), time(7), 2, "skip", 9, False, 4
        ),
    }
    assert loaded.mail_from == date(2024, 6, 30)
    assert loaded.calendar == Calendar(week_start=6, fiscal_year_start_month=4)
    assert loaded.products == {"shop": shop}
    assert loaded.people == (
        Person(
            "ana", "Ana", "manager", "content", None, *ana, "Europe/Madrid", shop.started_on, spring
        ),
        Person("ana", "Ana", "director", None, None, *ana, "UTC", spring, None),
    )
    assert loaded.warnings == ()
    assert loaded.feeds_of("shop") == {"page_views", "exposure"}
    assert loaded.sources_of("exposure", "shop") == (ads,)


def test_every_table_is_there_and_typed(folder: Path) -> None:
    tables = workspace.load(folder).tables
    assert list(tables) == list(workspace.TABLES)
    assert [(c.name, c.type, c.required) for c in tables["playbook"].columns] == [
        ("kpi_id", "text", True),
        ("stage", "text", True),
        ("condition", "text", True),
        ("action", "text", True),
        ("action_es", "text", False),
    ]
    assert tables["playbook"].rows == ()
    assert tables["activity_kinds"].rows == (("login", True, False, False, None),)
    assert tables["targets"].rows == (
        ("visits", "company", "(all)", "(all)", "week", date(2024, 6, 23), 100.0),
        ("visits", "product", "shop", "shop", "quarter", date(2024, 4, 1), 1000.0),
    )


def test_someone_holds_a_row_until_the_day_before_valid_to(folder: Path) -> None:
    manager, director = workspace.load(folder).people
    days = (date(2023, 12, 31), date(2024, 1, 1), date(2024, 2, 29), date(2024, 3, 1))
    assert [manager.is_valid_on(day) for day in days] == [False, True, True, False]
    assert [director.is_valid_on(day) for day in days] == [False, False, False, True]


def test_hash_follows_content_not_order_or_comments(folder: Path) -> None:
    def hashes() -> dict[str, str]:
        return {name: table.hash for name, table in workspace.load(folder).tables.items()}

    before = hashes()
    change(folder, "channels", "email,Email\ndirect,Direct\n", "direct,Direct\n\nemail,Email\n")
    change(folder, "channels", "channel,name", "# ours\n# and theirs\nchannel,name")
    assert hashes() == before
    change(folder, "channels", "Email", "E-mail")
    after = hashes()
    assert {name for name in after if after[name] != before[name]} == {"channels"}


def test_comments_blank_lines_bom_and_quoted_line_breaks_keep_row_numbers(folder: Path) -> None:
    path = folder / "organisation" / "decisions.csv"
    path.write_bytes(
        b"\xef\xbb\xbf# what was decided\ndecided_on,person_id,product_id,text\n\n"
        b'2024-01-02,ana,shop,"go on,\n# as before"\n2024-13-02,ana,,stop\n'
    )
    assert problems(folder) == [
        "organisation/decisions.csv, row 6, column decided_on: '2024-13-02' is not a date written "
        "YYYY-MM-DD."
    ]
    change(folder, "decisions", "2024-13-02", "2024-12-02")
    assert workspace.load(folder).tables["decisions"].rows == (
        (date(2024, 1, 2), "ana", "shop", "go on,\n# as before"),
        (date(2024, 12, 2), "ana", None, "stop"),
    )


@pytest.mark.parametrize(
    ("table", "old", "new", "expected"),
    [
        ("company", "EUR", "euro", "row 2, column currency: 'euro' is not a currency of three "
         "capital letters such as EUR."),
        ("company", "UTC", "Europe/Madird", "row 2, column time_zone: 'Europe/Madird' is not an "
         "IANA time zone such as Europe/Madrid. Did you mean 'Europe/Madrid'?"),
        ("company", "sunday", "sonday", "row 2, column week_start: 'sonday' is not 'monday', "
         "'tuesday', 'wednesday', 'thursday', 'friday', 'saturday' or 'sunday'. "
         "Did you mean 'sunday'?"),
        ("company", ",4", ",13", "row 2, column fiscal_year_start_month: '13' is not a month from "
         "1 to 12."),
        ("company", ",4", ",April", "row 2, column fiscal_year_start_month: 'April' is not a whole "
         "number."),
        ("company", "C,EUR", ",EUR", "row 2, column name: is empty; expected a text."),
        ("company", ",sunday,4\n", ",sunday,4\nD,EUR,UTC,monday,1\n", "row 3: is a second row; "
         "expected exactly one."),
        ("products", "2024-01-01", "01/01/2024", "row 2, column started_on: '01/01/2024' is not a "
         "date written YYYY-MM-DD."),
        ("product_stages", "2024-01-01,", "2024-01-01,2024-01-01", "row 2, column valid_to: "
         "2024-01-01 is not after valid_from 2024-01-01; expected a later day (it is the first day "
         "on which the row no longer holds)."),
        ("product_stages", "2024-01-01,\n", "2024-01-01,2024-06-18\nshop,growth,2024-06-17,\n",
         "row 3, column valid_from: the stage of shop from 2024-06-17 overlaps with row 2; "
         "expected each day to belong to one row (valid_to is the first day on which a row no "
         "longer holds)."),
        ("product_stages", "brand", "brnd", "row 2, column stage: 'brnd' is not 'brand' or "
         "'growth'. Did you mean 'brand'?"),
        ("teams", "content", "contents", "row 2, column team: 'contents' is not 'content', 'user', "
         "'business', 'new_media' or 'promotion'. Did you mean 'content'?"),
        ("people", "ana@example.org", "ana.example.org", "row 2, column email: 'ana.example.org' "
         "is not an email address such as ana@example.org."),
        ("people", "ana@example.org", "", "row 2, column email: is empty; expected an email "
         "address such as ana@example.org."),
        ("people", "manager,content", "manager,contant", "row 2, column team: 'contant' is not in "
         "organisation/teams.csv. Did you mean 'content'?"),
        ("people", "manager,content", "manager,", "row 2, column team: is empty; expected the team "
         "of the manager ana."),
        ("people", "content,,", "content,anna,", "row 2, column manager: 'anna' is not in "
         "organisation/people.csv. Did you mean 'ana'?"),
        ("people", "content,,", "content,ana,", "row 2, column manager: ana is their own manager; "
         "expected someone else or nothing."),
        ("people", "2024-03-01\n", "2024-04-01\n", "row 3, column valid_from: the person of ana "
         "from 2024-03-01 overlaps with row 2; expected each day to belong to one row (valid_to is "
         "the first day on which a row no longer holds)."),
        ("people", ",es,", ",de,", "row 2, column locale: 'de' is not 'en' or 'es'."),
        ("ownership", "ana,product", "eve,product", "row 2, column person_id: 'eve' is not in "
         "organisation/people.csv."),
        ("ownership", "product,shop", "product,shap", "row 2, column which: 'shap' is not in "
         "organisation/products.csv. Did you mean 'shop'?"),
        ("ownership", "product,shop", "channel,emial", "row 2, column which: 'emial' is not in "
         "organisation/channels.csv. Did you mean 'email'?"),
        ("ownership", "product,shop", "page_prefix,guides", "row 2, column which: 'guides' is not "
         "a path; expected one such as /guides."),
        ("channel_rules", "1,email", "1,emaill", "row 2, column channel: 'emaill' is not in "
         "organisation/channels.csv. Did you mean 'email'?"),
        ("channel_rules", "e-?mail", "e-?(mail", "row 2, column pattern: 'e-?(mail' is not a "
         "regular expression (RE2): missing ): e-?(mail."),
        ("channel_rules", "e-?mail", "", "row 2, column pattern: is empty; expected a regular "
         "expression for utm_medium."),
        ("channel_rules", "direct,direct,", "direct,direct,.*", "row 3, column pattern: '.*' has "
         "no meaning; expected nothing for direct."),
        ("channel_rules", "utm_medium,e-?mail", "referrer_kind,mail", "row 2, column pattern: "
         "'mail' matches no kind; there are 'search', 'social', 'group', 'email', 'app_store', "
         "'assistant', 'paid' or 'other'."),
        ("channel_rules", "2,direct", "1,direct", "row 3, column position: 1 is already in row 2; "
         "expected each once."),
        ("targets", "2024-06-23", "2024-06-24", "row 2, column period_start: 2024-06-24 is not the "
         "first day of a week; expected 2024-06-23."),
        ("targets", "2024-04-01", "2024-05-01", "row 3, column period_start: 2024-05-01 is not the "
         "first day of a quarter; expected 2024-04-01."),
        ("targets", "(all),,", "Co,,", "row 2, column scope_id: 'Co' is not '(all)', the only "
         "scope_id of the company."),
        ("targets", "(all),,", "(all),shop,", "row 2, column product_id: 'shop' is not '(all)', "
         "which a company target has."),
        ("targets", "product,shop,,", "product,shop,shap,", "row 3, column product_id: 'shap' is "
         "not 'shop', the scope_id beside it."),
        ("targets", "product,shop,,", "person,anna,,", "row 3, column scope_id: 'anna' is not in "
         "organisation/people.csv. Did you mean 'ana'?"),
        ("targets", "1e3", "1,000", "row 3: has 8 values; expected 7, one for each column of the "
         "header (a value with a comma stands in double quotes)."),
        ("targets", "1e3", "a lot", "row 3, column value: 'a lot' is not a number written like "
         "1234.5."),
        ("activity_kinds", "true", "yes", "row 2, column is_active: 'yes' is not 'true' or "
         "'false'."),
        ("channels", "channel,name", "chanel,name", "row 1, column 'chanel': is not a column of "
         "this table; expected channel, name. Did you mean 'channel'?"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_named(folder: Path, table: str, old: str, new: str, expected: str) -> None:
    change(folder, table, old, new)
    assert problems(folder)[0] == f"organisation/{table}.csv, {expected}"


def test_optional_tables_are_checked_too(folder: Path) -> None:
    organisation = folder / "organisation"
    (organisation / "exchange_rates.csv").write_text("currency,valid_from,rate\nUSD,2024-01-01,0\n")
    (organisation / "exclusions.csv").write_text(
        "product_id,kind,value,reason\nshopp,ip,1.2.3.4,us\n"
    )
    (organisation / "annotations.csv").write_text(
        "day,kpi_id,scope_kind,scope_id,text,rebase\n2024-01-01,,,shop,note,false\n"
    )
    assert problems(folder) == [
        "organisation/exchange_rates.csv, row 2, column rate: '0' is not a number above 0.",
        "organisation/exclusions.csv, row 2, column kind: 'ip' is not 'user', 'visitor', "
        "'utm_source' or 'path_prefix'.",
        "organisation/exclusions.csv, row 2, column product_id: 'shopp' is not in "
        "organisation/products.csv. Did you mean 'shop'?",
        "organisation/annotations.csv, row 2, column scope_kind: is empty while scope_id is 'shop';"
        " expected the kind of that scope.",
    ]


def test_missing_unknown_and_unreadable_files_are_named(folder: Path) -> None:
    organisation = folder / "organisation"
    (organisation / "teams.csv").unlink()
    (organisation / "playbok.csv").write_text("kpi_id\n")
    (organisation / "exclusions.csv").write_bytes(b"caf\xe9\n")
    (organisation / "channel_codes.csv").write_text("# nothing yet\n")
    (folder / "reports.yml").unlink()
    assert problems(folder) == [
        "organisation/teams.csv: is missing; expected a file with the columns team, name.",
        "organisation/channel_codes.csv: is empty; expected a first line with the names of the "
        "columns.",
        "organisation/exclusions.csv: is not UTF-8 at byte 3; expected a UTF-8 text file.",
        "organisation/playbok.csv: is not a table of the workspace. Did you mean 'playbook.csv'?",
        "reports.yml: is missing; `kpi init` writes one to start from.",
    ]


def test_a_wrong_header_is_told_without_what_follows_from_it(folder: Path) -> None:
    append(folder, "targets", "visits,channel,email,shop,week,2024-06-23,9")
    change(folder, "products", "product_id,", "prodct_id,")
    expected = "product_id, name, time_zone, currency, started_on, identity_space, traffic_source"
    assert problems(folder) == [
        "organisation/products.csv, row 1, column 'prodct_id': is not a column of this table; "
        f"expected {expected}, margin_share, point_cost. Did you mean 'product_id'?",
        "organisation/products.csv, row 1, column product_id: is missing; expected the columns "
        f"{expected}, margin_share, point_cost.",
    ]


def test_all_problems_are_told_at_once(folder: Path) -> None:
    change(folder, "products", "EUR", "eur")
    change(folder, "channel_rules", "e-?mail", "(")
    change(folder, "sources.yml", "arrival: covering", "arival: covering")
    change(folder, "reports.yml", "2024-06-30", "soon")
    assert problems(folder) == [
        "organisation/products.csv, row 2, column currency: 'eur' is not a currency of three "
        "capital letters such as EUR.",
        "organisation/channel_rules.csv, row 2, column pattern: '(' is not a regular expression "
        "(RE2): missing ): (.",
        "sources.yml, line 18, key sources[2].arival: is not a known key. Did you mean 'arrival'?",
        "sources.yml, line 13, key sources[2].arrival: is missing; expected 'file_per_day' or "
        "'covering'.",
        "reports.yml, line 1, key mail_from: 'soon' is not a date written YYYY-MM-DD.",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("feed: page_views", "feed: pageviews", "line 3, key sources[1].feed: 'pageviews' is not "
         "'page_views', 'traffic', 'exposure' or 'user_growth'. Did you mean 'page_views'?"),
        ("product: shop", "product: shap", "line 4, key sources[1].product: 'shap' is not in "
         "organisation/products.csv. Did you mean 'shop'?"),
        ("format: csv", "format: xslx", "line 6, key sources[1].format: 'xslx' is not 'csv', "
         "'jsonl', 'parquet', 'xlsx' or 'access_log'. Did you mean 'xlsx'?"),
        ("{day}.csv.gz", "views.csv.gz", "line 5, key sources[1].files: 'data/views.csv.gz' has no "
         "{day}; expected it with arrival: file_per_day."),
        ("ads/*.csv", "ads/{day}.csv", "line 15, key sources[2].files: 'data/ads/{day}.csv' has a "
         "{day}; expected * or a name with arrival: covering."),
        ("{occurred_at: ts}", "{ocurred_at: ts}", "line 8, key sources[1].columns.ocurred_at: "
         "'ocurred_at' is not a column of page_views; expected 'event_id', 'occurred_at', "
         "'visitor_id', 'user_id', 'url', 'referrer', 'utm_source', 'utm_medium', 'utm_campaign', "
         "'content_id', 'country', 'device' or 'is_bot'. Did you mean 'occurred_at'?"),
        ("{device: desktop}", "{occurred_at: now}", "line 9, key sources[1].constants: "
         "'occurred_at' also stands under columns; expected it in one of them."),
        ("Europe/Madrid", "Madrid", "line 11, key sources[1].time_zone: 'Madrid' is not an IANA "
         "time zone such as Europe/Madrid."),
        ('"%Y-%m-%d %H:%M:%S"', "ISO", "line 10, key sources[1].time_format: 'ISO' is not a "
         "strptime format; expected one such as %Y-%m-%d %H:%M:%S, epoch_seconds or "
         "epoch_milliseconds."),
        ('["", "NULL"]', "NULL", "line 12, key sources[1].null_tokens: is not a list of texts; "
         'expected one such as ["", "NULL"].'),
        ('";"', '";;"', "line 17, key sources[2].delimiter: ';;' is not one character; a tab is "
         "written: tab."),
        ("last_day_complete: true", "last_day_complete: maybe", "line 19, key "
         "sources[2].last_day_complete: 'maybe' is not 'true' or 'false'."),
        ("count: impressions", "count: impresions", "line 20, key sources[2].aggregate.count: "
         "'impresions' is not 'impressions', 'reach', 'clicks' or 'cost'. Did you mean "
         "'impressions'?"),
        ("on_repeat: sum", "on_repeat: add", "line 21, key sources[2].on_repeat: 'add' is not "
         "'error' or 'sum'."),
        ("arrival: file_per_day", "arrival: file_per_day\n    last_day_complete: true", "line 8, "
         "key sources[1].last_day_complete: has a meaning only with arrival: covering."),
        ("    arrival: file_per_day", "    format: csv\n    arrival: file_per_day", "line 7, key "
         "format: was already given in line 6; expected it once."),
        ('"06:30"', '"6:30"', "line 1, key give_up_at.page_views: '6:30' is not a time of day; "
         "expected HH:MM, such as 07:30."),
        ("give_up_at: {page_views", "give_up_at: {page_vews", "line 1, key give_up_at.page_vews: "
         "is not a known key; expected 'page_views', 'traffic', 'exposure' or 'user_growth'. Did "
         "you mean 'page_views'?"),
        ("sources:\n", "sources: [\n", "line 3: is not YAML: expected the node content, but found "
         "'-'."),
    ],
)  # fmt: skip
def test_a_wrong_source_is_named(folder: Path, old: str, new: str, expected: str) -> None:
    change(folder, "sources.yml", old, new)
    assert problems(folder)[0] == f"sources.yml, {expected}"


def test_a_constant_kind_or_channel_must_be_known(folder: Path) -> None:
    with (folder / "sources.yml").open("a", encoding="utf-8") as file:
        file.write(
            "  - {feed: user_growth, table: activity, product: shop, files: a.csv, format: csv,\n"
            "     arrival: covering, constants: {kind: logon}}\n"
            "  - {feed: user_growth, product: shop, files: u.csv, format: csv,\n"
            "     arrival: covering, constants: {channel: mail}, aggregate: {date_from: x}}\n"
        )
    assert problems(folder) == [
        "sources.yml, line 23, key sources[3].constants: kind 'logon' is not in "
        "organisation/activity_kinds.csv. Did you mean 'login'?",
        "sources.yml, line 25, key sources[4].constants: channel 'mail' is not in "
        "organisation/channels.csv. Did you mean 'email'?",
        "sources.yml, line 25, key sources[4].aggregate: is for daily tables; users is not one.",
    ]


def declare(folder: Path, **keys: str) -> None:
    """Make `keys` the only source; of traffic, in a CSV file, where they say nothing else."""
    basis = {
        "feed": "traffic",
        "product": "shop",
        "files": "t.csv",
        "format": "csv",
        "arrival": "covering",
    }
    if "products" in keys:
        del basis["product"]
    lines = "".join(f"  {key}: {value}\n" for key, value in {**basis, **keys}.items())
    (folder / "sources.yml").write_text(f"sources:\n-\n{lines}", encoding="utf-8")


TRAFFIC = Source("traffic", "traffic", "shop", "t.csv", "csv", "covering")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"encoding": "UTF16", "header_row": "4", "total_rows": "[Total, Summe]",
          "ends_at_blank_line": "true", "delimiter": "tab"},
         {"encoding": "utf-16", "header_row": 4, "total_rows": ("Total", "Summe"),
          "ends_at_blank_line": True, "delimiter": "\t"}),
        ({"format": "xlsx", "sheets": '["20*", Sums]', "member": '"*/t.xlsx"'},
         {"format": "xlsx", "sheets": ("20*", "Sums"), "member": "*/t.xlsx"}),
        ({"decimal_separator": '","', "thousands_separator": "."},
         {"decimal_separator": ",", "thousands_separator": "."}),
        ({"thousands_separator": "space"}, {"thousands_separator": " "}),
        ({"thousands_separator": '"\u202f"'}, {"thousands_separator": " "}),
        ({"thousands_separator": "’"}, {"thousands_separator": "’"}),
        ({"time_format": "epoch_milliseconds"}, {"time_format": "epoch_milliseconds"}),
        ({"time_format": "\"%b %d, %Y\""}, {"time_format": "%b %d, %Y"}),
        ({"table": "traffic_uniques", "time_format": '"%Y-%m"'},
         {"table": "traffic_uniques", "time_format": "%Y-%m"}),
        ({"columns": "{bounces: {column: Bounce rate, percent_of: visits},"
          " duration_seconds: {column: Avg, mean_of: visits}, visits: Visits}"},
         {"columns": {"bounces": "Bounce rate", "duration_seconds": "Avg", "visits": "Visits"},
          "shares": {"bounces": Share("Bounce rate", "visits", True),
                     "duration_seconds": Share("Avg", "visits", False)}}),
        ({"null_tokens": '["", "#N/A"]', "columns": '{campaign: {null_tokens: [""]}}'},
         {"null_tokens": ("", "#N/A"), "columns": {"campaign": "campaign"},
          "null_tokens_of": {"campaign": ("",)}}),
        ({"unpivot": '{header: "%d.%m.%Y", value: visits}'},
         {"unpivot": Unpivot("%d.%m.%Y", "date", "visits")}),
        ({"optional": "[bounces, visitors]"}, {"optional": ("bounces", "visitors")}),
        ({"constants": '{date: "2024-06-30", visits: 7}'},
         {"constants": {"date": "2024-06-30", "visits": "7"}}),
        ({"files": "s3://bucket/views/{day}/*.csv", "arrival": "file_per_day",
          "several_files_a_day": "last"},
         {"files": "s3://bucket/views/{day}/*.csv", "arrival": "file_per_day",
          "several_files_a_day": "last"}),
        ({"feed": "page_views", "time_precision": "hour"},
         {"feed": "page_views", "table": "page_views", "time_precision": "hour"}),
        ({"dedupe_across_files": "true"}, {"dedupe_across_files": "identical"}),
        ({"dedupe_across_files": "last_file", "restates_days": "30"},
         {"dedupe_across_files": "last_file", "restates_days": 30}),
        ({"feed": "page_views", "format": "access_log", "log_format": "nginx_json",
          "log_fields": "{address: ip, host: vhost}",
          "pages": "{methods: [GET, POST], statuses: [2xx, 304], not_pages: [^/api/],"
          " hosts: [www.example.org], bots: [Pingdom]}"},
         {"feed": "page_views", "table": "page_views", "format": "access_log",
          "log_format": "nginx_json", "log_fields": {"address": "ip", "host": "vhost"},
          "pages": Pages(("GET", "POST"), ("2xx", "304"), ("^/api/",), ("www.example.org",),
                         ("Pingdom",))}),
    ],
)  # fmt: skip
def test_an_export_is_described(
    folder: Path, keys: dict[str, str], expected: dict[str, object]
) -> None:
    declare(folder, **keys)
    assert workspace.load(folder).sources == (replace(TRAFFIC, **expected),)  # type: ignore[arg-type]


def test_the_rows_of_several_products_are_told_apart_by_a_column(folder: Path) -> None:
    append(folder, "products", "game,Game,Asia/Tokyo,EUR,2024-01-01,game,own")
    append(folder, "product_stages", "game,growth,2024-01-01,")
    declare(folder, products="{column: Site, values: {s: shop, g: game, S: shop}, ignore: [test]}")
    shop = replace(
        TRAFFIC, product_column="Site", product_values=("s", "S"), other_values=("g", "test")
    )
    game = replace(shop, product="game", product_values=("g",), other_values=("s", "S", "test"))
    assert workspace.load(folder).sources == (shop, game)


EXPECTED_FORMAT = "expected one such as %Y-%m-%d %H:%M:%S, epoch_seconds or epoch_milliseconds."
LOG = {"feed": "page_views", "format": "access_log"}


@pytest.mark.parametrize(
    ("keys", "key", "expected"),
    [
        ({"header_rows": "3"}, "header_rows", "is not a known key. Did you mean 'header_row'?"),
        ({"header_row": "0"}, "header_row", "is 0; rows are counted from 1."),
        ({"header_row": "two"}, "header_row", "'two' is not a whole number of 0 or more."),
        ({"total_rows": "Total"}, "total_rows", "is not a list of texts; expected one such as "
         '["", "NULL"].'),
        ({"sheets": "[A]"}, "sheets", "has a meaning only with format: xlsx, not csv."),
        ({"format": "parquet", "encoding": "utf-16"}, "encoding", "has a meaning only with format: "
         "csv, not parquet."),
        ({"encoding": "utf-61"}, "encoding", "'utf-61' is no encoding; expected one such as utf-16 "
         "or cp1252."),
        ({"encoding": "base64"}, "encoding", "'base64' is no encoding; expected one such as utf-16 "
         "or cp1252."),
        ({"delimiter": "'\"'"}, "delimiter", "is what quotes a text or ends a line; expected one "
         "such as ; or |."),
        ({"decimal_separator": ";"}, "decimal_separator", "';' is not '.' or ','."),
        ({"thousands_separator": "_"}, "thousands_separator", "'_' is not one; expected , or . or "
         "' or the word space."),
        ({"thousands_separator": "."}, "thousands_separator", "is '.', which is the decimal "
         "separator too."),
        ({"time_format": '"%Q"'}, "time_format", f"'%Q' cannot be used, because of '%Q'; "
         f"{EXPECTED_FORMAT}"),
        ({"time_format": "epoch"}, "time_format", f"'epoch' is not a strptime format; "
         f"{EXPECTED_FORMAT}"),
        ({"time_format": '"%H:%M"'}, "time_format", "'%H:%M' does not say when; expected year, "
         "month and day, as %d.%m.%Y."),
        ({"time_format": '"%d.%m.%Y %I:%M"'}, "time_format", "'%d.%m.%Y %I:%M' has %I without %p, "
         "so morning and evening are the same."),
        ({"time_format": '"%d.%m.%Y %H %p"'}, "time_format", "'%d.%m.%Y %H %p' contradicts itself: "
         "it writes '23.11.2024 21 PM' and cannot read it."),
        ({**LOG, "time_format": '"%d.%m.%Y"'}, "time_format", "has a meaning only with format: csv "
         "or jsonl or parquet or xlsx, not access_log."),
        ({"columns": "{visits: }"}, "columns.visits", "is empty; expected the name of a column of "
         "the source."),
        ({"columns": "{visits: {colum: V}}"}, "columns.visits.colum", "is not a known key; expected"
         " 'column', 'percent_of', 'mean_of' or 'null_tokens'. Did you mean 'column'?"),
        ({"columns": "{bounces: {percent_of: visit}}"}, "columns.bounces.percent_of", "'visit' is "
         "not 'visits', 'visitors', 'new_visitors', 'page_views', 'bounces' or 'duration_seconds'. "
         "Did you mean 'visits'?"),
        ({"columns": "{bounces: {percent_of: visits, mean_of: visits}}"}, "columns.bounces.mean_of",
         "stands beside percent_of; expected one of them."),
        ({"columns": "{bounces: {percent_of: bounces}}"}, "columns.bounces", "is given as a share "
         "of itself; expected one of another column."),
        ({"columns": "{bounces: {percent_of: visitors}}", "optional": "[visitors]"},
         "columns.bounces", "needs 'visitors', which is optional; expected this to be optional "
         "too."),
        ({"columns": "{device: {percent_of: visits}}"}, "columns.device.percent_of", "is for "
         "numbers; expected one of 'visits', 'visitors', 'new_visitors', 'page_views', 'bounces' "
         "or 'duration_seconds'."),
        ({"columns": "{campaign: {null_tokens: -}}"}, "columns.campaign.null_tokens", "is not a "
         'list of texts; expected one such as ["", "NULL"].'),
        ({"constants": "{visits: many}"}, "constants.visits", "'many' is not a whole number such "
         "as 1234."),
        ({"constants": "{date: 30.6.2024}"}, "constants.date", "'30.6.2024' is not a date such as "
         "2024-06-30."),
        ({"feed": "exposure", "constants": '{cost: "0,5"}'}, "constants.cost", "'0,5' is not a "
         "number such as 1234.5."),
        ({"unpivot": "{header: ISO, value: visits}"}, "unpivot.header", f"'ISO' is not a strptime "
         f"format; {EXPECTED_FORMAT}"),
        ({"unpivot": '{header: "%d.%m.", value: visits}'}, "unpivot.header", "'%d.%m.' does not "
         "say when; expected year, month and day, as %d.%m.%Y."),
        ({"unpivot": '{header: "%d.%m.%Y", value: visit}'}, "unpivot.value", "'visit' is not "
         "'visits', 'visitors', 'new_visitors', 'page_views', 'bounces' or 'duration_seconds'. Did "
         "you mean 'visits'?"),
        ({"unpivot": '{header: "%d.%m.%Y", name: source, value: visits}'}, "unpivot.name",
         "'source' is not 'date'."),
        ({"unpivot": '{header: "%d.%m.%Y", value: visits}', "columns": "{visits: Visits}"},
         "columns", "'visits' comes from unpivot already; expected it in one of them."),
        ({"unpivot": '{header: "%d.%m.%Y", value: visits}', "format": "jsonl"}, "unpivot",
         "has a meaning only with format: csv or xlsx or parquet, not jsonl."),
        ({"unpivot": '{header: "%d.%m.%Y", value: visits}',
          "aggregate": "{date_from: at, count: visitors}"}, "unpivot", "stands beside aggregate; "
         "expected one of them."),
        ({"aggregate": "{date_from: at, count: visits}", "constants": "{visits: 1}"}, "constants",
         "'visits' comes from aggregate already; expected it in one of them."),
        ({"aggregate": "{date_from: at, count: visits}", "columns": "{date: at}"}, "columns",
         "'date' comes from aggregate already; expected it in one of them."),
        ({"aggregate": "{date_from: at, count: visits, sum: {visits: n}}"}, "aggregate",
         "both counts and sums 'visits'; expected one."),
        ({"aggregate": "{date_from: at, count: visits}",
          "columns": "{bounces: {percent_of: visits}}"}, "aggregate", "adds up single events, "
         "which cannot have a share: bounces."),
        ({"aggregate": "{date_from: at}"}, "aggregate.count", "is missing, and sum too; expected "
         "'visits', 'visitors', 'new_visitors', 'page_views', 'bounces' or 'duration_seconds' in "
         "one of them."),
        ({"optional": "[visits]"}, "optional", "'visits' is required by traffic; it cannot be "
         "optional."),
        ({"optional": "[visit]"}, "optional", "'visit' is not a column of traffic; expected "
         "'date', 'source', 'medium', 'campaign', 'device', 'visits', 'visitors', 'new_visitors', "
         "'page_views', 'bounces' or 'duration_seconds'. Did you mean 'visits'?"),
        ({"product": "shop", "products": "{column: Site, values: {s: shop}}"}, "products", "stands "
         "beside product; expected one of them."),
        ({"products": "{column: Site, values: {}}"}, "products.values", "is missing or empty; "
         "expected values and their product_id."),
        ({"products": "{column: Site, values: [shop]}"}, "products.values", "is not a mapping; "
         "expected names and values."),
        ({"products": "{column: Site, values: {s: shap}}"}, "products.values", "'s': 'shap' is not "
         "in organisation/products.csv. Did you mean 'shop'?"),
        ({"products": "{values: {s: shop}}"}, "products.column", "is missing; expected the source "
         "column that says whose row it is."),
        ({"products": "{column: Site, values: {s: shop}, ignore: [s]}"}, "products.ignore",
         "'s' also stands under values; expected it in one of them."),
        ({"files": "t-{date}.csv"}, "files", "'t-{date}.csv' has {date}; {day} is the only name in "
         "braces."),
        ({"files": "s3://key:secret@bucket/t.csv"}, "files", "has a password or a key in its s3:// "
         "URL; expected it in the environment, such as AWS_ACCESS_KEY_ID and "
         "AWS_SECRET_ACCESS_KEY."),
        ({"files": "https://host/t.csv?sig=secret"}, "files", "has a password or a key in its "
         "https:// URL; expected it in the environment, such as AWS_ACCESS_KEY_ID and "
         "AWS_SECRET_ACCESS_KEY."),
        ({"several_files_a_day": "last"}, "several_files_a_day", "has a meaning only with arrival: "
         "file_per_day."),
        ({"several_files_a_day": "first"}, "several_files_a_day", "'first' is not 'add' or "
         "'last'."),
        ({"dedupe_across_files": "yes"}, "dedupe_across_files", "'yes' is not 'no', 'false', "
         "'true', 'identical' or 'last_file'."),
        ({**LOG, "dedupe_across_files": "last_file"}, "dedupe_across_files", "last_file needs a "
         "key, which lines of a log do not have."),
        ({"time_precision": "hours"}, "time_precision", "'hours' is not 'second', 'minute', 'hour' "
         "or 'day'. Did you mean 'hour'?"),
        ({"restates_days": "-1"}, "restates_days", "'-1' is not a whole number of 0 or more."),
        ({"restates_days": "4000"}, "restates_days", "is 4000; expected at most 400 days."),
        ({"format": "access_log"}, "format", "access_log gives page_views, not traffic."),
        ({"log_format": "w3c"}, "log_format", "has a meaning only with format: access_log, not "
         "csv."),
        ({**LOG, "log_format": "apache"}, "log_format", "'apache' is not 'common', 'combined', "
         "'nginx_json' or 'w3c'."),
        ({**LOG, "log_fields": "{address: ip}"}, "log_fields", "has a meaning only with nginx_json "
         "or w3c, not combined."),
        ({**LOG, "log_format": "w3c", "log_fields": "{ip: c-ip}"}, "log_fields", "'ip' is no "
         "field; expected time, address, user, method, path, status, referrer, user_agent, host."),
        ({**LOG, "pages": "{not_pages: ['(?!x)']}"}, "pages.not_pages", "'(?!x)' is not a regular "
         "expression (RE2): invalid perl operator: (?!."),
        ({**LOG, "pages": "{bots: ['[']}"}, "pages.bots", "'[' is not a regular expression (RE2): "
         "missing ]: [."),
        ({**LOG, "pages": "{statuses: [ok]}"}, "pages.statuses", "'ok' is not a status such as 200 "
         "or 2xx."),
        ({**LOG, "pages": "{methods: [get]}"}, "pages.methods", "'get' is not a method in capitals "
         "such as GET."),
        ({**LOG, "pages": "{hosts: ['https://example.org']}"}, "pages.hosts",
         "'https://example.org' is not a host alone, such as www.example.org."),
        ({**LOG, "pages": "{status: [200]}"}, "pages.status", "is not a known key; expected "
         "'methods', 'statuses', 'not_pages', 'hosts' or 'bots'. Did you mean 'statuses'?"),
        ({**LOG, "columns": "{url: path}"}, "columns", "has a meaning only with format: csv or "
         "jsonl or parquet or xlsx, not access_log."),
    ],
)  # fmt: skip
def test_an_export_that_cannot_be_is_named(
    folder: Path, keys: dict[str, str], key: str, expected: str
) -> None:
    declare(folder, **keys)
    (found,) = problems(folder)
    line, _, sentence = found.partition(f", key sources[1].{key}: ")
    assert (line.startswith("sources.yml, line "), sentence) == (True, expected)


def test_shares_of_one_another_are_refused(folder: Path) -> None:
    shares = "bounces: {percent_of: visitors}, visitors: {percent_of: bounces}"
    declare(folder, columns=f"{{{shares}, page_views: {{mean_of: bounces}}}}")
    assert problems(folder) == [
        f"sources.yml, line 8, key sources[1].columns.{one}: is given as a share of itself, by way "
        f"of '{other}'; expected one of another column."
        for one, other in (("bounces", "visitors"), ("visitors", "bounces"))
    ]


def test_a_file_is_read_by_one_source_only(folder: Path) -> None:
    declare(folder)
    path = folder / "sources.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.removeprefix("sources:\n"), encoding="utf-8")
    assert problems(folder) == [
        "sources.yml, line 11, key sources[2].files: 't.csv' is read by sources[1] already; "
        "expected it once."
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("specialist_daily", "specialist_dayly", "line 3, key reports.specialist_dayly: is not a "
         "known key; expected 'specialist_daily', 'manager_weekly', 'director_monthly' or "
         "'director_quarterly'. Did you mean 'specialist_daily'?"),
        ('send_at: "07:00"', 'sent_at: "07:00"', "line 3, key reports.specialist_daily.sent_at: is "
         "not a known key; expected 'send_at', 'deadline', 'deadline_days', 'on_missing', "
         "'max_age_days', 'second_edition' or 'second_edition_days'. Did you mean 'send_at'?"),
        ('"07:00", deadline', '"24:00", deadline', "line 3, key reports.specialist_daily.send_at: "
         "'24:00' is not a time of day; expected HH:MM, such as 07:30."),
        ('deadline: "11:00"', 'deadline: "06:00"', "line 3, key reports.specialist_daily.deadline: "
         "06:00 is before send_at 07:00; expected a later time, or deadline_days of 1 or more."),
        ("on_missing: skip", "on_missing: hold", "line 4, key reports.director_monthly.on_missing: "
         "'hold' is not 'withhold' or 'skip'. Did you mean 'withhold'?"),
        ("deadline_days: 2", "deadline_days: -2", "line 4, key "
         "reports.director_monthly.deadline_days: '-2' is not a whole number of 0 or more."),
        ("mail_from: 2024-06-30\n", "", "line 1, key mail_from: is missing; expected a date "
         "written YYYY-MM-DD."),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_named(folder: Path, old: str, new: str, expected: str) -> None:
    change(folder, "reports.yml", old, new)
    assert problems(folder)[0] == f"reports.yml, {expected}"


def test_times_need_no_quotes(folder: Path) -> None:
    change(folder, "reports.yml", '"11:00"', "11:00")
    assert workspace.load(folder).policies["specialist_daily"].deadline == time(11)


def test_what_is_odd_but_allowed_is_a_warning(folder: Path) -> None:
    append(folder, "products", "game,Game,Asia/Tokyo,JPY,2024-01-01,game,backend")
    append(folder, "product_stages", "game,growth,2024-01-01,")
    assert workspace.load(folder).warnings == (
        "organisation/products.csv, row 3, column product_id: no one owns game; add a row with "
        "what=product to organisation/ownership.csv so that someone reads about it.",
        "organisation/products.csv, row 3, column currency: organisation/exchange_rates.csv has no "
        "rate for JPY; money KPIs of the company stay without a value until it has one in EUR.",
        "organisation/products.csv, row 3, column traffic_source: sources.yml has no source of "
        "traffic for game; its visits stay without a value.",
    )


def test_a_product_without_a_stage_is_refused(folder: Path) -> None:
    append(folder, "products", "game,Game,Asia/Tokyo,EUR,2024-01-01,game,own")
    assert problems(folder) == [
        "organisation/products.csv, row 3, column product_id: game has no row in "
        "organisation/product_stages.csv; expected its stage, 'brand' or 'growth', from the day it "
        "started."
    ]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        workspace.load(tmp_path / "none")
    assert str(caught.value) == (
        f"The workspace {tmp_path / 'none'} is not a folder; set KPI_WORKSPACE to one, or write "
        "one with `kpi init`."
    )


def test_the_template_loads_as_written_and_overwrites_nothing(tmp_path: Path) -> None:
    written = workspace.write_template(tmp_path / "new")
    assert [path.relative_to(tmp_path / "new").as_posix() for path in written] == sorted(
        [
            "checks.yml",
            "sources.yml",
            "reports.yml",
            *(f"organisation/{name}.csv" for name in workspace.TABLES),
        ]
    )
    loaded = workspace.load(tmp_path / "new")
    assert loaded.warnings == ()
    assert list(loaded.products) == ["website"]
    assert all(
        path.read_text(encoding="utf-8").count("#") for path in written if path.stem != "channels"
    )
    (tmp_path / "new" / "reports.yml").write_text("mine\n")
    (tmp_path / "new" / "sources.yml").unlink()
    with pytest.raises(ConfigurationError, match="already exists; `kpi init` overwrites nothing"):
        workspace.write_template(tmp_path / "new")
    assert (tmp_path / "new" / "reports.yml").read_text() == "mine\n"
    assert not (tmp_path / "new" / "sources.yml").exists()


def test_the_template_names_every_option_of_a_source(tmp_path: Path) -> None:
    workspace.write_template(tmp_path / "new")
    text = (tmp_path / "new" / "sources.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"^[ #-]*(\w+):", text, flags=re.MULTILINE))
    assert set(sources.KEYS) - named == set()


def test_the_example_company_loads_without_a_warning() -> None:
    loaded = workspace.load(EXAMPLE)
    assert loaded.warnings == ()
    assert {product: loaded.feeds_of(product) for product in loaded.products} == {
        "costa": set(FEEDS),
        "ledgerly": {"page_views", "exposure", "user_growth"},
        "kumo": {"page_views", "exposure", "user_growth"},
        "atlas": {"traffic", "exposure"},
    }
    assert {person.team for person in loaded.people} == {*workspace.TEAMS, None}
    ranks = [person.rank for person in loaded.people]
    assert {rank: ranks.count(rank) for rank in ranks} == {
        "director": 2,
        "manager": 5,
        "specialist": 9,
    }
    targets = loaded.tables["targets"].records()
    assert {str(target["scope_kind"]) for target in targets} == {
        "company",
        "product",
        "team",
        "person",
        "channel",
    }
    assert {str(target["period_start"])[:4] for target in targets} == {"2024"}
