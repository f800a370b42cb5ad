"""The files that are measured, made by DuckDB from row numbers alone: the same bytes each time.

Addresses are of 10.0.0.0/8, hosts of example domains.
"""

# ruff: noqa: S608  # made of constants and numbers
from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb

FIRST = date(2024, 3, 1)
DAYS = 10
LOG_DAYS = 4  # of a log, which has a last line in its last second
SPAN = tuple(FIRST + timedelta(days=i) for i in range(DAYS))

SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 10; K",
    "X11; CrOS x86_64 14541.0.0",
    "iPhone; CPU iPhone OS 17_3 like Mac OS X",
)
BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "curl/8.5.0",
    "-",
)
STATIC = (
    "/assets/app.8f3c1d.js",
    "/assets/site.css",
    "/fonts/inter-var.woff2",
    "/favicon.ico",
    "/img/logo.svg",
)


def write_page_views(path: Path, rows: int) -> None:
    """A CSV of page views, about 90 bytes a row, over SPAN in order of time."""
    step = f"interval (i * {86_400 * DAYS} / {rows}) second"
    _write(
        path,
        f"""select 'e' || i as event_id,
            strftime(timestamp '{FIRST}' + {step}, '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
            'v' || (hash(i) % {max(rows // 8, 1)}) as visitor_id,
            'https://shop.example/p/' || (hash(i * 7) % 5000) as url,
            case when i % 3 = 0 then 'https://search.example/?q=' || (i % 100) end as referrer,
            case when i % 10 = 0 then 'news' end as utm_source,
            case when i % 2 = 0 then 'mobile' else 'desktop' end as device,
            'false' as is_bot
        from range({rows}) as t(i)""",
        "header true",
    )


def write_access_log(path: Path, rows: int) -> None:
    """A combined log over the first LOG_DAYS of SPAN in order of time, about 220 bytes a line.

    Half of the lines are static files, a twentieth bots, one in 50 a 404 and one in 20,000 cut
    off; a visitor keeps one address and one user agent and asks for about 25 files.
    """
    _write(
        path,
        f"""select case when i % 20000 = 777 then left(line, 90) else line end as line from (
            select i, concat(address, ' - - [', strftime(timestamp '{FIRST}'
                + interval (i * {86_400 * LOG_DAYS} / {rows}) second, '%d/%b/%Y:%H:%M:%S'),
                ' +0000] "', method, ' ', path, ' HTTP/1.1" ', status, ' ', size, ' "', referrer,
                '" "', agent, '"') as line
            from ({_requests(rows)}))""",
        "header false, quote '', delimiter '\x01'",
    )


def _requests(rows: int) -> str:
    page = "'/p/' || (a % 5000)"
    return f"""
    select i, concat_ws('.', '10', v % 250, (v // 250) % 250, 1 + (v // 62500) % 250) as address,
        case when b % 60 = 0 then 'POST' else 'GET' end as method,
        case when is_bot then {page}
            when b % 100 < 27 then ({list(STATIC)})[1 + (a % 5)::BIGINT]
            when b % 100 < 52 then '/img/product/' || (a % 5000) || '-large.webp'
            when b % 100 < 56 then '/search?q=item+' || (a % 900) || '&page=' || (a % 7)
            when b % 100 < 59 then '/p/' || (a % 50) || '?utm_source=news&utm_medium=email'
                || '&utm_campaign=spring_' || (a % 12)
            else {page} end as path,
        case when c % 50 = 0 then '404' when c % 9 = 0 then '304' when c % 33 = 0 then '301'
            else '200' end as status,
        300 + a % 60000 as size,
        case when is_bot or c % 7 = 0 then '-' when c % 7 = 1 then 'https://search.example/'
            when c % 70 = 2 then 'https://social.example/?utm_source=post&utm_campaign=spring'
            else 'https://shop.example/p/' || (c % 5000) end as referrer,
        case when is_bot then ({list(BOTS)})[1 + (v % {len(BOTS)})::BIGINT]
            else concat('Mozilla/5.0 (', ({list(SYSTEMS)})[1 + (v % {len(SYSTEMS)})::BIGINT],
                ') AppleWebKit/537.36 (KHTML, like Gecko) Chrome/', 96 + v % 28, '.0.',
                4500 + v % 40, '.', v % 9, ' Safari/537.36') end as agent
    from (select i, hash(i * 3) as a, hash(i * 3 + 1) as b, hash(i * 3 + 2) as c,
            hash(i) % {max(rows // 25, 1)} as v, v % 20 = 0 as is_bot
        from range({rows}) as t(i))"""


def _write(path: Path, query: str, options: str) -> None:
    """Write it under another name first, so that a file that is there is whole."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(".part")
    with duckdb.connect() as connection:
        connection.execute(f"copy ({query}) to '{made}' (format csv, {options})")
    made.replace(path)
