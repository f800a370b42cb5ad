"""Which channel a visit came by: the first rule that matches, over tags, codes and hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import jinja2
import pytest

from kpi_pipeline import workspace
from kpi_pipeline.filling import fill
from kpi_pipeline.referrers import KINDS, known_hosts
from kpi_pipeline.workspace import Workspace

ROOT = Path(__file__).parents[2]
MACROS = ROOT / "dbt_project" / "macros"
HARBOUR = ROOT / "examples" / "harbour_group"
TEMPLATE = ROOT / "src" / "kpi_pipeline" / "workspace" / "template"
FIELDS = ("utm_source", "utm_medium", "utm_campaign", "click_id", "referrer_host")


def test_every_known_host_is_plain_and_of_a_known_kind() -> None:
    hosts = known_hosts()
    assert len(hosts) > 1500
    assert {kind for _, kind, _ in hosts} == set(KINDS)
    names = [host for host, _, _ in hosts]
    assert all(name == name.lower().removeprefix("www.") and "/" not in name for name in names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://www.google.co.jp/", "search"),
        ("https://mail.google.com/mail/u/0", "email"),
        ("https://www.baidu.com/link?url=x", "search"),
        ("https://m.baidu.com/", "search"),
        ("https://tieba.baidu.com/p/1", "social"),
        ("https://www.sogou.com/web", "search"),
        ("https://www.so.com/link", "search"),
        ("https://quark.sm.cn/s", "search"),
        ("https://search.yahoo.co.jp/", "search"),
        ("https://m.weibo.cn/detail/1", "social"),
        ("https://www.zhihu.com/question/1", "social"),
        ("https://www.xiaohongshu.com/explore", "social"),
        ("https://mp.weixin.qq.com/s/x", "social"),
        ("https://l.facebook.com/", "social"),
        ("https://out.reddit.com/", "social"),
        ("https://t.co/x", "social"),
        ("https://web.telegram.org/", "group"),
        ("https://liff.line.me/", "group"),
        ("https://mail.163.com/", "email"),
        ("https://apps.apple.com/es/app/x", "app_store"),
        ("https://appgallery.huawei.com/", "app_store"),
        ("android-app://com.google.android.gm/", "email"),
        ("https://chatgpt.com/", "assistant"),
        ("https://notgoogle.com.example/", None),
        ("https://mygoogle.com/", None),
    ],
)
def test_a_referrer_is_of_the_kind_of_the_longest_host_it_is_in(
    connection: duckdb.DuckDBPyConnection, url: str, kind: str | None
) -> None:
    rules = [(n, kind, "referrer_kind", kind) for n, kind in enumerate(KINDS)]
    host = _host(connection, url)
    assert _channels(connection, rules, [{"referrer_host": host}]) == [kind or "(not set)"]


def test_the_first_rule_that_matches_counts_and_case_does_not(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rules = [
        (10, "paid", "utm_medium", "CPC"),
        (20, "offline", "code", "evt-.+"),
        (30, "clicks", "click_id", "gclid"),
        (40, "partner", "referrer_host", r"(.+\.)?weibo\.cn"),
        (50, "search", "referrer_kind", "search"),
        (60, "social", "referrer_kind", "social"),
        (70, "tagged", "utm_source", r"\S+"),
        (80, "referral", "referrer_host", ".+"),
        (90, "direct", "direct", None),
    ]
    assert _channels(
        connection,
        rules,
        [
            {"utm_medium": "cpc", "utm_campaign": "evt-fair", "click_id": "gclid"},
            {"utm_medium": "qr", "utm_campaign": "EVT-Fair"},
            {"utm_source": "evt-talk", "referrer_host": "google.com"},
            {"utm_source": "evt-unknown"},
            {"utm_source": "two words"},
            {"click_id": "gclid", "referrer_host": "google.com"},
            {"referrer_host": "m.weibo.cn"},
            {"referrer_host": "zhihu.com"},
            {"referrer_host": "blog.example"},
            {},
        ],
        codes=[("evt-fair", "fair"), ("evt-talk", "offline"), ("other", "paid")],
    ) == ["paid", "fair", "offline", "tagged", "(not set)", "clicks", "partner", "social",
          "referral", "direct"]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "channel"),
    [
        ({"utm_medium": "cpc", "referrer_host": "google.com"}, "paid_search"),
        ({"utm_source": "google", "utm_medium": "organic"}, "organic_search"),
        ({"utm_medium": "group"}, "group"),
        ({"utm_medium": "link_exchange"}, "link_exchange"),
        ({"utm_medium": "qr"}, "offline"),
        ({"click_id": "gclid", "referrer_host": "google.com"}, "paid_search"),
        ({"click_id": "fbclid", "referrer_host": "l.facebook.com"}, "paid_social"),
        ({"referrer_host": "baidu.com"}, "organic_search"),
        ({"referrer_host": "weibo.com"}, "social"),
        ({"referrer_host": "web.whatsapp.com"}, "group"),
        ({"referrer_host": "mail.qq.com"}, "email"),
        ({"referrer_host": "app.mi.com"}, "app_store"),
        ({"referrer_host": "blog.example"}, "referral"),
        ({}, "direct"),
    ],
)
def test_the_rules_a_new_workspace_starts_with_cover_tags_clicks_hosts_and_none(
    connection: duckdb.DuckDBPyConnection, source: dict[str, str], channel: str
) -> None:
    assert _channels(connection, _rules(workspace.load(TEMPLATE)), [source]) == [channel]


@pytest.mark.parametrize(
    ("url", "channel"),
    [
        ("https://www.google.es/", "organic_search"),
        ("https://www.baidu.com/link", "organic_search"),
        ("https://l.instagram.com/", "social"),
        ("https://liff.line.me/", "social"),
        ("https://play.google.com/", "app_store"),
        ("https://viajes.example.net/costa", "referral"),
        ("https://shop.costa.example/", "(not set)"),
        ("https://www.costa.example/", "direct"),
    ],
)
def test_the_example_company_reads_hosts_by_kind_after_its_own(
    connection: duckdb.DuckDBPyConnection, url: str, channel: str
) -> None:
    found = _channels(
        connection, _rules(workspace.load(HARBOUR)), [{"referrer_host": _host(connection, url)}]
    )
    assert found == [channel.replace("(not set)", "referral")]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        columns = {"host": "VARCHAR", "kind": "VARCHAR", "name": "VARCHAR"}
        fill(opened, "stg_landing__referrer_hosts", columns, known_hosts())
        yield opened


def _rules(space: Workspace) -> list[tuple[object, ...]]:
    columns = ("position", "channel", "field", "pattern")
    records = space.tables["channel_rules"].records()
    return [tuple(record[column] for column in columns) for record in records]


def _host(connection: duckdb.DuckDBPyConnection, url: str) -> str:
    macro = (MACROS / "judgement" / "url_host.sql").read_text()
    sql = jinja2.Environment().from_string(macro + "select {{ url_host('$1') }}").render()
    row = connection.execute(sql, [url]).fetchone()
    assert row is not None
    return str(row[0])


def _channels(
    connection: duckdb.DuckDBPyConnection,
    rules: list[tuple[object, ...]],
    sources: list[dict[str, str]],
    codes: list[tuple[str, str]] | None = None,
) -> list[str]:
    """The channel of each source, by the macro the models use."""
    connection.execute(
        "create or replace table stg_organisation__channel_rules"
        "(position integer, channel varchar, field varchar, pattern varchar);"
        "create or replace table stg_organisation__channel_codes(code varchar, channel varchar);"
        "create or replace table sources(source_key integer, utm_source varchar, "
        "utm_medium varchar, utm_campaign varchar, click_id varchar, referrer_host varchar)"
    )
    connection.executemany("insert into stg_organisation__channel_rules values (?, ?, ?, ?)", rules)
    for code in codes or []:
        connection.execute("insert into stg_organisation__channel_codes values (?, ?)", code)
    connection.executemany(
        "insert into sources values (?, ?, ?, ?, ?, ?)",
        [(n, *(source.get(field) for field in FIELDS)) for n, source in enumerate(sources)],
    )
    macro = (MACROS / "kpis" / "channel_of.sql").read_text()
    sql = jinja2.Environment().from_string(macro + "{{ channel_of() }}").render(ref=str)
    found: dict[int, str] = dict(connection.execute(sql).fetchall())
    return [found[n] for n in range(len(sources))]
