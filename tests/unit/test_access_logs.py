"""Access logs: every format, every rule, broken lines, bots, and that no address comes out."""

from __future__ import annotations

import gzip
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import crawleruseragents
import duckdb
import pytest

from kpi_pipeline.errors import PipelineError
from kpi_pipeline.feeds.access_logs import lines, pages, reader, robots
from kpi_pipeline.feeds.access_logs.lines import LogProblemError
from kpi_pipeline.landing import keyed
from kpi_pipeline.workspace.model import Pages, Source

KEY = "a key for tests, long enough to be one"
REAL_LOG = Path(__file__).parents[3] / "shared" / "data" / "access_log" / "access.log.gz"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ADDRESS = "203.0.113.7"
AT = datetime.fromisoformat("2015-05-17 10:05:03")
STAMP = "17/May/2015:10:05:03 +0000"
VISITOR = keyed.keyed(KEY, f"{ADDRESS} {AGENT}")
SEEN = "n, occurred_at, visitor_id, user_id, url, referrer, is_bot, answer_"


class Log:
    """Files of one source, read: `rows` counted, then the relation as the table `result`."""

    def __init__(self, root: Path, *contents: bytes, names: Iterable[str] = (), **options: Any):
        self.connection = duckdb.connect()
        keyed.install(self.connection, KEY)
        source = Source(
            "page_views", "page_views", "p", "*.log", "access_log", "covering", **options
        )
        paths = []
        for name, content in zip(names or "abcdef", contents, strict=False):
            paths.append(root / name)
            paths[-1].write_bytes(content)
        scratch = root / "scratch"
        scratch.mkdir(exist_ok=True)
        self.files = [
            reader.examine(self.connection, source, number, path, scratch)
            for number, path in enumerate(paths)
        ]
        sql, whole = reader.relation(self.connection, source, self.files)
        self.connection.execute(f"create table result as select *, {whole} as whole from ({sql})")

    def select(self, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        return self.connection.execute(
            f"select {columns} from result where {where} order by rowid"
        ).fetchall()

    @property
    def dropped(self) -> list[tuple[int, str]]:
        """Position among the rows, and rule."""
        return self.select("rowid + 1, dropped_by", "dropped_by is not null")

    @property
    def broken(self) -> list[tuple[int, str, str]]:
        return self.select(
            "coalesce(n, rowid + 1), broken.expected, broken.reason", "broken is not null"
        )


def combined(
    request: str = "GET /a HTTP/1.1",
    status: int | str = 200,
    referrer: str = "-",
    agent: str = AGENT,
    head: str = f"{ADDRESS} - -",
    stamp: str = STAMP,
    tail: str = "",
) -> bytes:
    return f'{head} [{stamp}] "{request}" {status} 512 "{referrer}" "{agent}"{tail}\n'.encode()


def page(url: str = "/a", **other: Any) -> tuple[Any, ...]:
    """What `SEEN` shows of a page view."""
    expected = {
        "n": None,
        "at": AT,
        "visitor": VISITOR,
        "user": None,
        "url": url,
        "referrer": None,
        "is_bot": False,
        "answer": "GET 200 512",
    }
    return tuple((expected | other).values())


def test_a_combined_line_becomes_a_page_view(tmp_path: Path) -> None:
    log = Log(
        tmp_path,
        combined(
            "GET /caf%C3%A9?gclid=x1&utm_source=a%20b+c&utm_medium=%E9&utm_campaign= HTTP/1.1",
            referrer="https://search.example/?q=shoes",
            stamp="17/May/2015:12:05:03 +0200",
        ),
    )
    names = [name for name, *_ in log.connection.execute("describe result").fetchall()]
    rows = [dict(zip(names, row, strict=True)) for row in log.select("*")]
    assert isinstance(rows[0].pop("whole"), str)
    assert rows == [
        {
            "file_no": 0,
            "n": None,
            "dropped_by": None,
            "broken": None,
            "event_id": None,
            "occurred_at": AT,
            "visitor_id": VISITOR,
            "user_id": None,
            "url": "/caf%C3%A9?gclid=x1&utm_source=a%20b+c&utm_medium=%E9&utm_campaign=",
            "referrer": "https://search.example/?q=shoes",
            "utm_source": "a b c",
            "utm_medium": "%E9",  # is no UTF-8, so it stays as it was sent
            "utm_campaign": None,
            "content_id": None,
            "country": None,
            "device": None,
            "is_bot": False,
            "answer_": "GET 200 512",
        }
    ]


def test_typed_columns_are_typed_and_the_others_text(tmp_path: Path) -> None:
    described = Log(tmp_path, combined()).connection.execute("describe result").fetchall()
    types = {name: kind for name, kind, *_ in described}
    broken = types.pop("broken")
    assert broken.replace('"', "") == (
        "STRUCT(expected VARCHAR, reason VARCHAR, column_name VARCHAR, value VARCHAR)"
    )
    assert {name: kind for name, kind in types.items() if kind != "VARCHAR"} == {
        "file_no": "INTEGER",
        "n": "BIGINT",
        "occurred_at": "TIMESTAMP",
        "is_bot": "BOOLEAN",
    }
    assert set(types) >= reader.TYPED


def test_a_common_line_has_no_agent_so_nothing_is_known_of_bots(tmp_path: Path) -> None:
    plain = f'{ADDRESS} - Frank [{STAMP}] "GET /a HTTP/1.0" 200 2326\r\n'.encode()
    log = Log(tmp_path, plain + combined().replace(b"\n", b"\r\n"), log_format="common")
    visitor = keyed.keyed(KEY, ADDRESS)
    assert log.select(SEEN) == [
        page(
            visitor=visitor,
            user=keyed.keyed(KEY, "Frank"),
            is_bot=None,
            answer="GET 200 2326",
        ),
        page(visitor=visitor, is_bot=None),
    ]


def test_a_common_line_cut_off_in_its_numbers_is_broken(tmp_path: Path) -> None:
    plain = f'{ADDRESS} - - [{STAMP}] "GET /a HTTP/1.0" 200'.encode()
    log = Log(tmp_path, plain + b"\n" + plain + b" 5", log_format="common")
    assert log.broken == [(1, "a line of a common log", "its quotes do not match")]
    assert log.select("rowid + 1, url", "visitor_id is not null") == [(2, "/a")]


def test_a_line_may_begin_with_a_host_and_end_in_further_fields(tmp_path: Path) -> None:
    heads = (
        f"Shop.example:443 {ADDRESS} - -",
        f"shop.example {ADDRESS} - -",
        f"shop.example:8080 {ADDRESS} - Jo Smith",
        f"{ADDRESS} - Jo Smith",
        f"{ADDRESS}, 198.51.100.1, 198.51.100.2 - -",
        f"{ADDRESS}:51034 - -",
        f"198.51.100.9:80 {ADDRESS} - -",
        f"{ADDRESS}:51034 - Jo Smith",
        f"shop.example:443 {ADDRESS} ident Jo Smith",
        f"{ADDRESS} ident Jo Smith",
    )
    log = Log(
        tmp_path, b"".join(combined(head=head, tail=' "198.51.100.3" 0.004') for head in heads)
    )
    user = keyed.keyed(KEY, "Jo Smith")
    assert log.select(SEEN) == [
        page("https://shop.example/a"),
        page("https://shop.example/a"),
        page("https://shop.example/a", user=user),
        page(user=user),
        page(),
        page(),
        page(),  # a host that is an address names no site
        page(user=user),
        page("https://shop.example/a", user=user),
        page(user=user),
    ]


@pytest.mark.parametrize("address", ["2001:db8::7", "::ffff:203.0.113.7", "host-7.example"])
def test_any_kind_of_address_makes_a_visitor(tmp_path: Path, address: str) -> None:
    log = Log(tmp_path, combined(head=f"{address} - -"))
    assert log.select(SEEN) == [page(visitor=keyed.keyed(KEY, f"{address} {AGENT}"))]


def test_quotes_inside_fields_and_spaces_in_paths_are_read(tmp_path: Path) -> None:
    log = Log(
        tmp_path,
        combined(r"GET /a\"b c HTTP/2.0", 304, r"http://r.example/\"q\"", rf"{AGENT} \"x\\")
        + combined(agent="x\\\\")
        + combined(status=401, head=f'{ADDRESS} - ""'),
    )
    assert log.select(SEEN, "dropped_by is null") == [
        page(
            '/a"b c',
            visitor=keyed.keyed(KEY, f'{ADDRESS} {AGENT} "x\\'),
            referrer='http://r.example/"q"',
            answer="GET 304 512",
        ),
        page(visitor=keyed.keyed(KEY, f"{ADDRESS} x\\")),
    ]
    assert log.dropped == [(3, "status")]


def test_an_absolute_target_names_the_host(tmp_path: Path) -> None:
    log = Log(
        tmp_path,
        combined("GET HTTP://Shop.example:80/x?y HTTP/1.1")
        + combined("GET http://shop.example HTTP/1.1"),
    )
    assert log.select("url") == [("https://shop.example/x?y",), ("https://shop.example/",)]


def test_the_only_declared_host_stands_in_for_one_that_is_not_logged(tmp_path: Path) -> None:
    log = Log(tmp_path, combined(), pages=Pages(hosts=("Shop.example",)))
    assert log.select("url") == [("https://shop.example/a",)]


def test_nginx_json_is_read_by_its_usual_keys(tmp_path: Path) -> None:
    usual = {"remote_addr": ADDRESS, "status": 200, "http_user_agent": AGENT}
    objects = (
        {
            **usual,
            "time_iso8601": "2015-05-17T12:05:03+02:00",
            "request": "GET /a HTTP/1.1",
            "remote_user": "Jo",
            "http_referer": "",
            "host": "shop.example",
            "body_bytes_sent": 512,
        },
        {**usual, "time_local": STAMP, "request_method": "GET", "request_uri": "/a b"},
        {**usual, "msec": 1431857103.25, "method": "GET", "uri": "/a", "args": "b=1"},
        {**usual, "@timestamp": "2015-05-17T10:05:03.5Z", "request": "GET /a HTTP/1.1"},
        {**usual, "timestamp": "1431857103000", "request": "GET /a HTTP/1.1"},
        {**usual, "time": "2015-05-17 12:05:03", "request": "GET /a HTTP/1.1"},
        {"remote_addr": ADDRESS, "status": 200, "time": "2015-05-17 12:05:03", "request": "-"},
    )
    log = Log(
        tmp_path,
        "".join(f"{json.dumps(o)}\n" for o in objects).encode()
        + b'{"remote_addr":"203.0.113.7","status":200,"time_local":"'
        + STAMP.encode()
        + rb'","request":"GET /\x22 HTTP/1.1"}',
        log_format="nginx_json",
        time_zone="Europe/Madrid",
    )
    short = {"answer": "GET 200"}
    assert log.select(SEEN, "dropped_by is null") == [
        page("https://shop.example/a", user=keyed.keyed(KEY, "Jo")),
        page("/a b", **short),
        page("/a?b=1", at=AT.replace(microsecond=250000), **short),
        page(at=AT.replace(microsecond=500000), **short),
        page(**short),
        page(**short),
        page('/"', visitor=keyed.keyed(KEY, ADDRESS), is_bot=None, **short),
    ]
    assert log.dropped == [(7, "not_a_request")]


def test_the_keys_of_a_json_log_can_be_declared(tmp_path: Path) -> None:
    row = {
        "when": "2015-05-17T10:05:03Z",
        "ip": ADDRESS,
        "who": "Jo",
        "verb": "GET",
        "url.path": "/a",
        "code": "200",
        "from": "http://r.example/",
        "ua": AGENT,
        "vhost": "shop.example",
    }
    fields = ("time", "address", "user", "method", "path", "status", "referrer", "user_agent")
    log = Log(
        tmp_path,
        json.dumps(row).encode(),
        log_format="nginx_json",
        log_fields=dict(zip((*fields, "host"), row, strict=True)),
    )
    user = keyed.keyed(KEY, "Jo")
    assert log.select(SEEN) == [
        page(
            "https://shop.example/a",
            user=user,
            referrer="http://r.example/",
            answer="GET 200",
        )
    ]


IIS = f"""#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2015-05-17 10:00:00
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status
2015-05-17 10:05:03 10.0.0.1 GET /a utm_source=x 443 CORP\\jo {ADDRESS} {AGENT.replace(" ", "+")} http://r.example/ 200
2015-05-17 10:05:03 10.0.0.1 GET /a - 443 - {ADDRESS} - - 200
"""  # noqa: E501


def test_iis_lines_are_read_by_the_columns_declared_above_them(tmp_path: Path) -> None:
    changed = f"""#Fields: date time cs-method cs-uri-stem c-ip sc-status cs-host sc-bytes
2015-05-17 10:05:03 GET /b {ADDRESS} 200 shop.example 512
2015-05-17 10:05:03 GET /b {ADDRESS} 200
"""
    log = Log(tmp_path, (IIS + changed + IIS).encode(), log_format="w3c")
    short = {"answer": "GET 200"}
    first = page(
        "/a?utm_source=x",
        user=keyed.keyed(KEY, "CORP\\jo"),
        referrer="http://r.example/",
        **short,
    )
    silent = page(visitor=keyed.keyed(KEY, f"{ADDRESS} "), is_bot=True, **short)
    unknown = page("https://shop.example/b", visitor=keyed.keyed(KEY, ADDRESS), is_bot=None)
    assert log.select(SEEN, "dropped_by is null and broken is null") == [
        (5, *first[1:]),
        (6, *silent[1:]),
        (8, *unknown[1:]),
        (14, *first[1:]),
        (15, *silent[1:]),
    ]
    assert log.dropped == [(i, "directive") for i in (1, 2, 3, 4, 7, 10, 11, 12, 13)]
    assert log.broken == [
        (9, "a line with the columns that #Fields names", "the line has 6 columns, not 8")
    ]


def test_files_with_other_w3c_columns_keep_their_own(tmp_path: Path) -> None:
    other = f"#Fields: time date c-ip cs-method cs-uri-stem sc-status\n10:05:03 2015-05-17 {ADDRESS} GET /c 200\n"  # noqa: E501
    log = Log(tmp_path, IIS.encode(), other.encode(), IIS.encode(), log_format="w3c")
    assert [file.is_numbered for file in log.files] == [False, False, False]
    assert log.select("file_no, url", "dropped_by is null") == [
        (0, "/a?utm_source=x"),
        (0, "/a"),
        (1, "/c"),
        (2, "/a?utm_source=x"),
        (2, "/a"),
    ]


def test_a_w3c_line_without_columns_above_it_is_broken(tmp_path: Path) -> None:
    log = Log(tmp_path, IIS.splitlines()[-1].encode() + b"\n" + IIS.encode(), log_format="w3c")
    expected = "a line with the columns that #Fields names"
    assert log.broken == [(1, expected, "no #Fields line stands before it")]
    assert len(log.select("n", "visitor_id is not null")) == 2


def test_columns_are_looked_for_at_the_beginning_of_lines_only(tmp_path: Path) -> None:
    row = f"2015-05-17 10:05:03 GET /a #Fields:+date {ADDRESS} {AGENT.replace(' ', '+')} 512 200\n"
    fields = "date time cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) sc-bytes sc-status"
    log = Log(tmp_path, f"#Fields: {fields}\n{row}".encode(), log_format="w3c")
    assert [file.is_numbered for file in log.files] == [False]
    assert log.select(SEEN, "dropped_by is null") == [page("/a?#Fields:+date")]


def test_columns_declared_where_two_blocks_meet_are_seen(tmp_path: Path) -> None:
    fields = "#Fields: date time cs-method cs-uri-stem c-ip sc-status\n"
    row = f"2015-05-17 10:05:03 GET /a {ADDRESS} 200\n"
    room = lines.CHUNK - len(fields) - 4  # so that the declaration begins before the block's end
    count, left = divmod(room, len(row))
    body = row * (count - 1) + row.replace("/a", "/a" + "a" * left)
    assert lines.CHUNK - len(fields + body) == 4
    other = f"#Fields: time date cs-method cs-uri-stem c-ip sc-status\n10:05:03 2015-05-17 GET /b {ADDRESS} 200\n"  # noqa: E501
    log = Log(tmp_path, (fields + body + other).encode(), log_format="w3c")
    assert [file.is_numbered for file in log.files] == [True]
    assert log.select("url", "dropped_by is null")[-1:] == [("/b",)]
    assert log.broken == []


def test_what_cloudfront_encodes_is_decoded(tmp_path: Path) -> None:
    head = (
        "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) "
        "cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query x-host-header\n"
    )
    agents = (AGENT.replace(" ", "%20"), AGENT.replace(" ", "%2520"))
    rows = "".join(
        f"2015-05-17\t10:05:03\tMAD50\t512\t{ADDRESS}\tGET\td1.cloudfront.example\t/a%2520b\t200\t"
        f"http://r.example/?q=%2541\t{agent}\tutm_source=a%2520b\tshop.example\n"
        for agent in agents
    )
    log = Log(tmp_path, (head + rows).encode(), log_format="w3c")
    seen = page("https://shop.example/a%20b?utm_source=a%20b", referrer="http://r.example/?q=%41")
    assert log.select(SEEN, "dropped_by is null") == [seen, seen]
    assert log.select("utm_source", "dropped_by is null") == [("a b",), ("a b",)]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (combined("-", 408), "not_a_request"),
        (combined(r"\x16\x03\x01\x02", 400), "not_a_request"),
        (combined("GET /a"), "not_a_request"),
        (combined("GET HTTP/1.1"), "not_a_request"),
        (combined("OPTIONS * HTTP/1.0"), "not_a_request"),
        (combined("CONNECT shop.example:443 HTTP/1.1"), "not_a_request"),
        (combined("GET http://other.example/a HTTP/1.1"), "other_host"),
        (combined(head=f"other.example:443 {ADDRESS} - -"), "other_host"),
        (combined("POST /a HTTP/1.1"), "method"),
        (combined("HEAD /a HTTP/1.1"), "method"),
        (combined(status=301), "status"),
        (combined(status=404), "status"),
        (combined(status=206), "status"),
        (combined("GET /a/logo.PNG HTTP/1.1"), "static_file"),
        (combined("GET /app.js?v=3 HTTP/1.1"), "static_file"),
        (combined("GET /.well-known/security HTTP/1.1"), "well_known"),
        (combined("GET /healthz HTTP/1.1"), "health_check"),
        (combined("GET / HTTP/1.1", agent="ELB-HealthChecker/2.0"), "health_check"),
        (combined("GET /blog/feed/ HTTP/1.1"), "feed"),
        (combined("GET /rss.xml HTTP/1.1"), "feed"),
        (combined("GET /news.atom?x HTTP/1.1"), "feed"),
        (combined("GET /blog/?flav=rss20 HTTP/1.1"), "feed"),
        (combined("GET /sitemap.xml HTTP/1.1"), "data_file"),
        (combined("GET /api/items.json?a=b HTTP/1.1"), "data_file"),
        (combined("GET /admin/x HTTP/1.1"), "not_a_page"),
        (combined("GET /?wc-ajax=cart HTTP/1.1"), "not_a_page"),
    ],
)
def test_each_rule_drops_and_names_what_is_no_page_view(
    tmp_path: Path, line: bytes, rule: str
) -> None:
    own = Pages(not_pages=("^/admin(/|$)", "[?&]wc-ajax="), hosts=("shop.example",))
    log = Log(tmp_path, line, pages=own)
    assert log.select("dropped_by, broken, occurred_at") == [(rule, None, AT)]
    assert log.select("* exclude (file_no, n, dropped_by, occurred_at)") == [
        (None,) * 15  # whole too
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a.b/c",
        "/feeds-of-birds",
        "/a?file=x.css",
        "/x?to=/feed",
        "/jobs/pinging",
        "/c++.html",
    ],
)
def test_what_only_looks_like_no_page_is_one(tmp_path: Path, path: str) -> None:
    assert Log(tmp_path, combined(f"GET {path} HTTP/1.1")).select("url") == [(path,)]


def test_a_source_declares_its_own_methods_and_statuses(tmp_path: Path) -> None:
    content = b"".join(
        combined(f"{method} /a HTTP/1.1", status)
        for method, status in (("GET", 200), ("POST", 201), ("POST", 404), ("PUT", 410))
    )
    log = Log(tmp_path, content, pages=Pages(methods=("POST", "PUT"), statuses=("2XX", "410")))
    assert log.select("dropped_by, answer_") == [
        ("method", None),
        (None, "POST 201 512"),
        ("status", None),
        (None, "PUT 410 512"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (combined()[:-2] + b"\n", "its quotes do not match"),
        (combined(agent="cut\\")[:-1] + b"\n", "its quotes do not match"),
        (combined()[:90] + combined(), "its quotes do not match"),
        (combined(referrer="http://r.example/\\"), "its quotes do not match"),
        (combined(tail=' "198.51.100.3'), "its quotes do not match"),
        (combined(tail="198.51.100.3"), "its quotes do not match"),
        (combined().replace(b'" "', b'"x"'), "its quotes do not match"),
        (combined().replace(b'" 200', b'"200'), "its quotes do not match"),
        (b"junk\n", "its quotes do not match"),
        (f'{ADDRESS} - - [{STAMP}] "GET / HTTP/1.1" 200 5\n'.encode(),
         "has no referrer and no user agent"),
        (combined(stamp="17/Mei/2015:10:05:03 +0000"),
         "its time is none such as [17/May/2015:10:05:03 +0000]"),
        (combined(stamp="31/Feb/2015:10:05:03 +0000"),
         "its time is none such as [17/May/2015:10:05:03 +0000]"),
        (combined().replace(f"[{STAMP}] ".encode(), b""),
         "has no time such as [17/May/2015:10:05:03 +0000]"),
        (combined(head=ADDRESS), "has no address before its time"),
        (combined(head="- - -"), "has no address before its time"),
        (combined(status="x00"), "has no status of three digits"),
    ],
)  # fmt: skip
def test_a_broken_line_is_named_and_takes_no_other_with_it(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    log = Log(tmp_path, combined("GET /1 HTTP/1.1") + line + combined("GET /2 HTTP/1.1"))
    assert log.broken == [(2, "a line of a combined log", reason)]
    assert log.select("rowid + 1, url", "visitor_id is not null") == [(1, "/1"), (3, "/2")]
    assert ADDRESS not in str(log.select("*"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"remote_addr": "203.0.113.7", "status', "is no JSON object"),
        ("[1]", "is no JSON object"),
        ('{"remote_addr": "203.0.113.7", "status": 200, "time": "soon"}',
         "its time cannot be read"),
        ('{"remote_addr": "203.0.113.7", "status": 200}', "has no time that can be read"),
        ('{"time": "2015-05-17T10:05:03Z", "status": 200}', "has no address"),
        ('{"time": "2015-05-17T10:05:03Z", "remote_addr": "203.0.113.7"}',
         "has no status of three digits"),
    ],
)  # fmt: skip
def test_a_broken_json_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    log = Log(tmp_path, f"{line}\n".encode(), log_format="nginx_json")
    assert log.broken == [(1, "a line that is a JSON object", reason)]
    assert ADDRESS not in str(log.select("*"))


def test_a_time_or_status_that_cannot_be_read_is_shown(tmp_path: Path) -> None:
    log = Log(
        tmp_path,
        combined(stamp="31/Feb/2015:10:05:03 +0000")
        + combined(status="2000")
        + combined(stamp="soon")
        + combined(status="192.0.2.1")
        + b"junk\n",
    )
    shown = "broken.column_name, broken.value"
    assert log.select(shown) == [
        ("occurred_at", "[31/Feb/2015:10:05:03 +0000]"),
        ("status", "2000"),
        ("occurred_at", None),
        ("status", None),
        (None, None),
    ]
    (tmp_path / "json").mkdir()
    record = {"time": "2015-02-31T10:05:03Z", "remote_addr": ADDRESS, "status": 200}
    log = Log(tmp_path / "json", json.dumps(record).encode(), log_format="nginx_json")
    assert log.select(shown) == [("occurred_at", "2015-02-31T10:05:03Z")]
    (tmp_path / "w3c").mkdir()
    lines = (
        "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2015-02-31 10:05:03 {} GET / {}\n"
    )
    log = Log(tmp_path / "w3c", lines.format(ADDRESS, 200).encode(), log_format="w3c")
    assert log.select(shown, "broken is not null") == [("occurred_at", "2015-02-31 10:05:03")]


def test_odd_bytes_and_blank_lines_lose_nothing_and_move_nothing(tmp_path: Path) -> None:
    name = "/café"
    content = b"".join(
        (
            b"\xef\xbb\xbf",
            combined(f"GET {name} HTTP/1.1"),
            b"\r\n\n",
            combined(f"GET {name} HTTP/1.1").decode().encode("latin-1"),
            b"\0" * 5000 + combined("GET /after-a-crash HTTP/1.1"),
            b"\0\n",
            combined("GET /a\rb\x01c HTTP/1.1"),
            b"x" * 10_000_000 + b"\n",
            combined().removesuffix(b"\n"),
        )
    )
    log = Log(tmp_path, content, combined(), content)
    assert [(f.rows, f.is_numbered) for f in log.files] == [(7, True), (1, False), (7, True)]
    own = [(1, name), (4, name), (5, "/after-a-crash"), (7, "/a\ufffdb\ufffdc"), (9, "/a")]
    assert log.select("file_no, n, url", "visitor_id is not null") == [
        *((0, n, url) for n, url in own),
        (1, None, "/a"),
        *((2, n, url) for n, url in own),
    ]
    expected = "a line of a combined log"
    nothing, long = "the line holds nothing but NUL bytes", "the line has 10000000 bytes"
    assert log.broken == [(6, expected, nothing), (8, expected, long)] * 2


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"\0\0" + combined(), "/a"),
        (combined("GET /a\0b HTTP/1.1"), "/ab"),
        (combined("GET /a\rb HTTP/1.1"), "/a\ufffdb"),
        (combined("GET /a\x01b HTTP/1.1"), "/a\x01b"),
        (combined("GET /\xe9 HTTP/1.1").decode().encode("latin-1"), "/é"),
        (b"x" * 600_000 + b"\n", "the line has 600000 bytes"),
        (b"x" * 600_000, "the line has 600000 bytes"),
        (b"x" * 2_000_000 + b"\n", "the line has 2000000 bytes"),
    ],
)
def test_an_odd_line_alone_is_noticed(tmp_path: Path, line: bytes, shown: str) -> None:
    log = Log(tmp_path, combined("GET /1 HTTP/1.1") + line)
    assert log.select("coalesce(url, broken.reason)") == [("/1",), (shown,)]


def test_line_ends_that_two_blocks_share_are_no_returns_inside_lines(tmp_path: Path) -> None:
    content = b"a" * 1023 + b"\r\n" + (b"a" * 1022 + b"\r\n") * 3000
    assert content[lines.CHUNK - 1 : lines.CHUNK + 1] == b"\r\n"
    log = Log(tmp_path, content)
    assert [(file.rows, file.is_numbered) for file in log.files] == [(3001, False)]


def test_lines_with_either_end_in_one_log_are_read(tmp_path: Path) -> None:
    ends = (b"\n", b"\r\n")
    content = b"".join(b"x" * (i % 97 + 9) + ends[i % 7 % 2] for i in range(100_000))
    log = Log(tmp_path, content)
    assert [n for (n,) in log.select("coalesce(n, rowid + 1)")] == list(range(1, 100_001))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_ordinary_log_is_read_as_it_is(tmp_path: Path, end: bytes) -> None:
    content = end.join([combined("GET /é HTTP/1.1").strip()] * 30_000)
    log = Log(tmp_path, content + end, content, names=("a", "b"))
    assert [(f.rows, f.is_numbered) for f in log.files] == [(30_000, False)] * 2
    assert Counter(log.select("file_no, url, is_bot")) == {
        (0, "/é", False): 30_000,
        (1, "/é", False): 30_000,
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"a\n\n", b"\na\n", b"a\r\n\r\n", b"a\rb\r\n", b"a\r\nb\n", b"a\n\rb\n", b"a\0\n",
     b"\xff\n", b"a\n\xc3", b"\xef\xbb\xbfa\n", b"a" * 600_000, b"a\n" + b"a" * 600_000 + b"\n",
     b"a" * lines.CHUNK + b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b"a\r\nb\nc\r\n"],
)  # fmt: skip
def test_lines_are_counted_as_they_are_read(tmp_path: Path, content: bytes) -> None:
    log = Log(tmp_path, content)
    kept = [i for i, raw in enumerate(content.split(b"\n"), 1) if raw.strip(b"\r\xef\xbb\xbf")]
    assert log.files[0].rows == len(kept)
    assert log.select("coalesce(n, rowid + 1)") == [(n,) for n in kept]


def test_rows_come_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    contents = [
        b"".join(
            combined(f"GET /{i}{'.css' * (i % 3 == 0)} HTTP/1.1", agent=f"{AGENT} {i % 99}")
            for i in range(start, start + 50_000)
        )
        + blank
        for start, blank in ((0, b""), (50_000, b"\n"), (100_000, b""), (150_000, b""))
    ]
    log = Log(tmp_path, *contents)
    assert [file.is_numbered for file in log.files] == [False, True, False, False]
    assert log.select("file_no, url") == [
        (i // 50_000, f"/{i}" if i % 3 else None) for i in range(200_000)
    ]


def zstd(root: Path, text: str) -> bytes:
    """A text, packed."""
    target = root / "packed.csv"
    duckdb.execute(
        f"copy (select unnest(?)) to '{target}' (format csv, header false, quote '', escape '', "
        "delimiter '\x02', compression zstd)",
        [text.splitlines()],
    )
    return target.read_bytes()


def test_packed_logs_are_read(tmp_path: Path) -> None:
    line = combined()
    names = ("a.gz", "b.zst")
    log = Log(tmp_path, gzip.compress(line), zstd(tmp_path, line.decode()), names=names)
    assert [file.rows for file in log.files] == [1, 1]
    assert log.select("file_no, url") == [(0, "/a"), (1, "/a")]


def test_a_w3c_log_packed_by_zstd_keeps_its_columns(tmp_path: Path) -> None:
    log = Log(tmp_path, zstd(tmp_path, IIS + IIS), names=("a.zst",), log_format="w3c")
    assert log.select("url", "dropped_by is null") == [("/a?utm_source=x",), ("/a",)] * 2


@pytest.mark.parametrize(
    ("text", "odd"),
    [("x\n\ny\n", "blank lines"), (IIS + "#Fields: date time c-ip\n", "columns that change")],
)
def test_a_log_packed_by_zstd_that_must_be_written_anew_says_so(
    tmp_path: Path, text: str, odd: str
) -> None:
    reason = f"has {odd}, which are read only from a log packed by gzip, or none."
    with pytest.raises(LogProblemError, match=re.escape(reason)):
        Log(tmp_path, zstd(tmp_path, text), names=("a.zst",), log_format="w3c")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.gz", gzip.compress(combined() * 1000)[:-20],
         "cannot be read: Compressed file ended before the end-of-stream marker was reached."),
        ("a.gz", b"none", "cannot be read: Not a gzipped file (b'no')."),
        ("a.gz", gzip.compress(combined()) + b"more",
         "cannot be read: it goes on behind its gzip data with bytes that are none."),
    ],
)  # fmt: skip
def test_a_log_that_cannot_be_unpacked_says_so(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(LogProblemError, match=re.escape(reason)):
        Log(tmp_path, content, names=(name,))


def test_a_log_that_must_not_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    with pytest.raises(LogProblemError, match=r"^cannot be read: Is a directory\.$"):
        lines.examine(duckdb.connect(), 0, tmp_path, tmp_path / "scratch")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "lines-0.txt").symlink_to("/dev/full")
    with pytest.raises(PipelineError, match=r"The disk of .*scratch is full\. Free some space"):
        Log(tmp_path, combined() + b"\n")


def test_bots_land_and_are_marked(tmp_path: Path) -> None:
    agents = (AGENT, BOT, "-", "", "Uptime of ours/1")
    log = Log(
        tmp_path,
        b"".join(combined(agent=agent) for agent in agents),
        pages=Pages(bots=("^Uptime of ours",)),
    )
    assert log.select("is_bot, dropped_by") == [
        (False, None),
        (True, None),
        (True, None),
        (True, None),
        (True, None),
    ]


def test_the_expressions_of_the_library_mean_the_same_to_duckdb() -> None:
    known = {i for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA for i in entry["instances"]}
    agents = sorted(
        known | {AGENT, "Mozilla/5.0 (iPhone) Safari/604.1", "x"} | {a[:30] for a in known}
    )
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select agent, {robots.matches('agent', ())} from (select unnest(?) as agent)",
            [agents],
        ).fetchall()
    assert dict(found) == {agent: crawleruseragents.is_crawler(agent) for agent in agents}


def test_the_visitors_own_address_is_taken_out_of_what_is_kept(tmp_path: Path) -> None:
    log = Log(
        tmp_path,
        combined(f"GET /?ip={ADDRESS}&utm_source={ADDRESS} HTTP/1.1", referrer=f"http://{ADDRESS}/")
        + combined(f"GET /{ADDRESS}.png HTTP/1.1")
        + combined(f"GET /{ADDRESS} HTTP/1.1", head=f"{ADDRESS}:443 {ADDRESS} - {ADDRESS}"),
    )
    assert ADDRESS not in str(log.select("*"))
    assert log.select("url, utm_source, referrer")[0] == (
        "/?ip=address&utm_source=address",
        "address",
        "http://address/",
    )


@pytest.mark.parametrize(
    ("client", "path", "kept"),
    [
        ("2001:db8::1", "/a?ip=2001%3Adb8%3a%3A1", "/a?ip=address"),
        ("2001:db8::1", "/a?ip=2001:DB8::1&n=2001:db8::12", "/a?ip=address&n=2001:db8::12"),
        ("2A02:db8::1", "/2a02:db8::1,2a02:DB8::1", "/address,address"),
        ("::1", "/a?ip=%3A%3A1", "/a?ip=address"),
        ("::ffff:203.0.113.7", "/b?ip=203.0.113.7", "/b?ip=address"),
        ("::ffff:203.0.113.7", "/b?ip=%3A%3Affff%3A203.0.113.7", "/b?ip=%3A%3Affff%3Aaddress"),
        ("203.0.113.7", "/a?u=%3D203%2E0%2e113%252E7", "/a?u=%3Daddress"),
        ("203.0.113.7", "/a?u=%20203.0.113.7%26", "/a?u=%20address%26"),
        ("203.0.113.7", "/v203.0.113.7,203.0.113.7", "/vaddress,address"),
        ("203.0.113.7:1234", "/203.0.113.7:80", "/address:80"),
        ("p5b1234.dip0.example", "/?h=P5B1234.dip0.example&g=x-p5b1234.dip0.example",
         "/?h=address&g=x-p5b1234.dip0.example"),
        ("203.0.113.7, 198.51.100.1", "/?xff=203.0.113.7,198.51.100.1,192.0.2.1",
         "/?xff=address,address,192.0.2.1"),
        ("1.1.1.1", "/blog/v11.1.1.1-released/1.1.1.10", "/blog/v11.1.1.1-released/1.1.1.10"),
        ("unknown", "/an/unknown/page", "/an/unknown/page"),
    ],
)  # fmt: skip
def test_the_visitors_own_address_is_taken_out_however_it_is_written(
    tmp_path: Path, client: str, path: str, kept: str
) -> None:
    line = combined(
        f"GET {path} HTTP/1.1", head=f"{client} - -", referrer=f"http://r.example{path}"
    )
    log = Log(tmp_path, line)
    assert log.select("url, referrer") == [(kept, f"http://r.example{kept}")]
    record = {"remote_addr": client, "request": f"GET {path} HTTP/1.1", "status": 200,
              "time": "2015-05-17T10:05:03Z", "http_user_agent": AGENT}  # fmt: skip
    (tmp_path / "json").mkdir()
    json_log = Log(tmp_path / "json", json.dumps(record).encode(), log_format="nginx_json")
    assert json_log.select("url") == [(kept,)]
    first = client.split(",")[0].removesuffix(":1234")
    visitor = [(keyed.keyed(KEY, f"{first} {AGENT}"),)]
    assert log.select("visitor_id") == json_log.select("visitor_id") == visitor


def test_whole_tells_lines_apart_and_is_the_same_in_every_file(tmp_path: Path) -> None:
    different = [
        combined(),
        combined(status=304),
        combined(agent="x"),
        combined(referrer="http://r.example/"),
        combined("GET /b HTTP/1.1"),
        combined(stamp="17/May/2015:10:05:04 +0000"),
        combined(head="203.0.113.8 - -"),
        combined(head=f"{ADDRESS} - jo"),
        combined().replace(b" 512 ", b" 513 "),
        combined(status=404),
    ]
    log = Log(tmp_path, b"".join(different), b"\n" + b"".join(different))
    first, second = (log.select("whole", f"file_no = {number}") for number in (0, 1))
    assert first == second
    assert len(set(first)) == len(different)
    assert [whole is None for (whole,) in first] == [False] * 9 + [True]


def test_a_format_without_bots_to_look_for_reads_the_files_once(tmp_path: Path) -> None:
    connection = duckdb.connect()
    source = Source("page_views", "page_views", "p", "a", "access_log", "covering")
    (tmp_path / "a").write_bytes(combined())
    log = reader.examine(connection, source, 0, tmp_path / "a", tmp_path)
    keyed.install(connection, KEY)
    sql, _ = reader.relation(connection, source, [log], wanted={"occurred_at"})
    assert connection.execute(f"select occurred_at, is_bot from ({sql})").fetchall() == [(AT, None)]


def test_the_page_of_access_logs_lists_the_rules_in_order() -> None:
    page_text = (Path(__file__).parents[2] / "docs" / "access-logs.md").read_text("utf-8")
    listed = re.findall(r"^\| \d+ \| `(\w+)` \|", page_text, re.M)
    every = pages.rules(Pages(not_pages=("x",), hosts=("x",)))
    assert listed == [rule.name for rule in every]


@pytest.fixture(scope="module")
def real_log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    if not REAL_LOG.is_file():
        message = "the real access log is not beside the project; nothing is shown about it"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    root = tmp_path_factory.mktemp("real")
    return Log(root, REAL_LOG.read_bytes(), names=("access.log.gz",))


def test_every_line_of_the_real_log_is_landed_dropped_or_broken(real_log: Log) -> None:
    outcomes = Counter(
        "broken" if is_broken else rule or "landed"
        for is_broken, rule in real_log.select("broken is not null, dropped_by")
    )
    assert real_log.files[0].rows == sum(outcomes.values()) == 10_000
    assert outcomes == {
        "static_file": 5412,
        "landed": 3144,
        "feed": 901,
        "status": 416,
        "data_file": 78,
        "method": 48,
        "broken": 1,
    }


def test_the_line_after_the_broken_one_of_the_real_log_is_read(real_log: Log) -> None:
    assert real_log.broken == [(8899, "a line of a combined log", "its quotes do not match")]
    after = real_log.select("rowid + 1, url, is_bot, occurred_at", "rowid = 8899")
    assert after == [
        (8900, "/robots.txt", True, datetime.fromisoformat("2015-05-20 12:05:25")),
    ]


def test_no_address_of_the_real_log_comes_out(real_log: Log) -> None:
    content = gzip.decompress(REAL_LOG.read_bytes())
    addresses = {line.split(b" ", 1)[0].decode() for line in content.splitlines()}
    shown = "\n".join(map(str, real_log.select("*")))
    assert len(addresses) == 1753
    assert [address for address in addresses if address in shown] == []
