"""A source tried out: what its files hold, what would land, and what is probably not meant so."""

from __future__ import annotations

import logging
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import openpyxl
import pytest
import small_company

from kpi_pipeline import run as steps
from kpi_pipeline.cli import main
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.settings import Settings, from_environment
from kpi_pipeline.source_sample import likely, masked, shape_of, without_addresses
from kpi_pipeline.source_trial import Trial, chosen, declarations, tried
from kpi_pipeline.source_trial_text import told

AT = datetime(2024, 7, 1, 12, tzinfo=UTC)
VISITS = "feed: traffic, product: york, format: csv, arrival: covering, last_day_complete: true"
ADS = "feed: exposure, product: rio, arrival: covering, last_day_complete: true"
VIEWS = "feed: page_views, product: rio, format: csv, arrival: covering, last_day_complete: true"


class Place:
    """A workspace without a key, with a method for each thing a test does."""

    def __init__(self, root: Path) -> None:
        self.workspace = small_company.write_workspace(root)
        self.home = root / "home"

    @property
    def settings(self) -> Settings:
        return from_environment({"KPI_WORKSPACE": str(self.workspace), "KPI_HOME": str(self.home)})

    def declare(self, *entries: str) -> None:
        lines = "".join(f"  - {{{entry}}}\n" for entry in entries)
        (self.workspace / "sources.yml").write_text(f"sources:\n{lines}")

    def write(self, name: str, content: str | bytes) -> None:
        path = self.workspace / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def tried(self, entry: str, **options: object) -> Trial:
        self.declare(entry)
        return tried(self.settings, chosen(self.workspace), AT, **options)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def test_a_trial_accounts_for_every_row_and_writes_nothing(place: Place) -> None:
    place.write(
        "visits.csv",
        "date,source,Sessions,Owner\n"
        '2024-06-01,google,"1,234",Ann Lee\n'
        "2024-06-01,bing,12,Bob Ray\n"
        "2024-06-02,bing,7,Cy Doe\n"
        "2024-06-02,ask,many,Di Roe\n"
        "Total,,9\n",
    )
    entry = f"{VISITS}, files: visits.csv, columns: {{visits: Sessions}}"
    trial = place.tried(entry, rows=2)
    assert (trial.read, trial.landed, trial.quarantined, trial.dropped) == (5, 2, 3, {})
    assert (trial.found, trial.made, trial.others, trial.problems) == (1, 2, 0, ())
    assert dict(trial.days) == {date(2024, 6, 1): 1, date(2024, 6, 2): 1}
    assert [(f.name, f.rows, f.problem) for f in trial.files] == [("visits.csv", 5, None)]
    assert (trial.columns[0], trial.columns[-1]) == ("date", "local_date")
    assert trial.rows[0][:2] == ("2024-06-01", "bing")
    assert [
        (one.group.rows, one.group.column_name, one.group.value, one.group.row_number)
        for one in trial.set_aside
    ] == [
        (1, "visits", "many", 5),
        (1, "visits", "1,234", 2),
        (1, None, None, 6),
    ]
    assert trial.set_aside[1].remedies[0].text == (
        '`thousands_separator: ","` in sources.yml reads it.'
    )
    assert trial.unused == ("Owner",)
    assert not place.home.exists()
    assert sorted(p.name for p in place.workspace.iterdir()) == [
        "organisation",
        "reports.yml",
        "sources.yml",
        "visits.csv",
    ]


def test_a_trial_counts_what_landing_counts(place: Place) -> None:
    days = [date(2024, 2, 5), date(2024, 2, 6)]
    for day in days:
        small_company.write_day(place.workspace, day)
        bad = {"event_id": f"bad-{day}", "occurred_at": "noon", "visitor_id": "v", "url": "/"}
        small_company.add_rows(place.workspace, "rio", "page_views", day, [bad])
    with (place.workspace / f"data/rio/page_views/{days[0]}.csv").open("a") as file:
        file.write("cut off,here\n")
    trial = tried(place.settings, chosen(place.workspace, 1), AT)
    keyed = replace(place.settings, hash_key="a key for tests, long enough to be one")
    slices = steps.load(keyed, "page_views", ["rio"], days, AT).slices
    assert [piece.status for piece in slices] == ["landed", "landed"]
    assert (trial.read, trial.landed, trial.quarantined, dict(trial.days)) == (
        sum(piece.read for piece in slices),
        sum(piece.landed for piece in slices),
        3,
        {piece.day: piece.landed for piece in slices},
    )
    assert sum(piece.quarantined for piece in slices) == 3


def test_the_columns_say_where_they_come_from_and_examples_give_nobody_away(place: Place) -> None:
    place.write(
        "views.csv",
        "id,when,who,link,mail,phone,score\n"
        "1,2024-06-01 10:00:00,visitor-1,/a?m=ann@example.org,ann@example.org,5550123,1.5\n"
        "2,2024-06-01 11:00:00,visitor-2,/b,bob@example.org,5550124,2.5\n",
    )
    trial = place.tried(
        f"{VIEWS}, files: views.csv, constants: {{device: desktop}}, columns: "
        "{event_id: id, occurred_at: when, visitor_id: who, url: link}"
    )
    assert [(c.name, c.shape, c.example, c.contract) for c in trial.seen] == [
        ("id", "whole numbers", "1", ("event_id",)),
        ("when", "times without a zone", "2024-06-01 10:00:00", ("occurred_at",)),
        ("who", "text", "vi…", ("visitor_id",)),
        ("link", "text", "/a?m=an…", ("url",)),
        ("mail", "e-mail addresses", "an…", ()),
        ("phone", "whole numbers", "55…", ()),
        ("score", "numbers as 1234.5", "1.5", ()),
    ]
    origins = {column.name: column.origin for column in trial.wanted}
    assert origins == {
        "event_id": "'id'",
        "occurred_at": "'when'",
        "visitor_id": "'who'",
        "user_id": "not there",
        "url": "'link'",
        "referrer": "not there",
        "utm_source": "not there",
        "utm_medium": "not there",
        "utm_campaign": "not there",
        "content_id": "not there",
        "country": "not there",
        "device": "constant 'desktop'",
        "is_bot": "not there",
    }
    assert [row[2] for row in trial.rows] == [f"{row[2][:2]}…" for row in trial.rows]
    text = "\n".join(told(trial))
    for secret in ("visitor-1", "ann@", "bob@", "5550123"):
        assert secret not in text
    assert trial.hints == (
        "The times in 'when' carry no zone and are read as UTC; if they are local, say of where: "
        "`time_zone: Europe/Madrid`.",
    )


GERMAN = """Bericht;;
erstellt am;1.7.2024;

Tag;Kanal;Aufrufe;Klicks;Kosten
01.06.2024;email;1.234;56;1.234,56
02.06.2024;email;2.345;5;12,50
Gesamt;;3.579;61;1.247,06
"""
GERMAN_COLUMNS = (
    "columns: {date: Tag, channel: Kanal, impressions: Aufrufe, clicks: Klicks, cost: Kosten}"
)


def test_following_the_hints_one_after_the_other_makes_a_source(place: Place) -> None:
    place.write("ads.csv", GERMAN.encode("cp1252"))
    entry = f"{ADS}, files: ads.csv, format: csv, {GERMAN_COLUMNS}"
    first = place.tried(entry)
    assert first.hints == (
        'The header looks like it is in line 4 of ads.csv: `delimiter: ";", header_row: 4`.',
    )
    assert first.problems == ("ads.csv has no column 'Tag'; it has Bericht;;.",)
    entry += ', delimiter: ";", header_row: 4'
    second = place.tried(entry)
    assert (second.seen[0].shape, second.seen[0].example) == (
        "dates or times as %d.%m.%Y",
        "01.06.2024",
    )
    assert [[r.text for r in one.remedies] for one in second.set_aside] == [
        ['`time_format: "%d.%m.%Y"` in sources.yml reads all 2.'],
        ['`total_rows: ["Gesamt"]` in sources.yml drops rows that begin so.'],
    ]
    entry += ', time_format: "%d.%m.%Y", total_rows: ["Gesamt"]'
    third = place.tried(entry)
    assert [(c.name, c.shape, c.example) for c in third.seen][::4] == [
        ("Tag", "dates or times as %d.%m.%Y", "01.06.2024"),
        ("Kosten", "numbers as 1.234,5", "1.234,56"),
    ]
    style = '`decimal_separator: ","` with `thousands_separator: "."` in sources.yml reads'
    assert [one.remedies[0].text for one in third.set_aside] == [f"{style} all 2."]
    fourth = place.tried(f'{entry}, decimal_separator: ",", thousands_separator: "."')
    assert (fourth.landed, fourth.quarantined, sum(fourth.dropped.values())) == (2, 0, 1)
    assert [(row[0], row[fourth.columns.index("cost")]) for row in fourth.rows] == [
        ("2024-06-01", "1234.5600"),
        ("2024-06-02", "12.5000"),
    ]
    assert (fourth.problems, fourth.hints) == ((), ())


def test_the_header_of_a_sheet_is_found_below_its_title(place: Place) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "June"
    for row in (
        ["A report"],
        [],
        ["Day", "Channel", "Impressions", "Clicks"],
        [date(2024, 6, 1), "email", 120, 3],
    ):
        sheet.append(row)
    book.save(place.workspace / "ads.xlsx")
    entry = (
        f"{ADS}, files: ads.xlsx, format: xlsx, columns: {{date: Day, channel: Channel, "
        "impressions: Impressions, clicks: Clicks}"
    )
    trial = place.tried(entry)
    assert trial.hints[0] == (
        "The header looks like it is in line 3 of ads.xlsx, sheet June: `header_row: 3`."
    )
    trial = place.tried(f"{entry}, header_row: 3")
    assert (trial.landed, trial.problems) == (1, ())
    assert [(c.name, c.shape, c.example) for c in trial.seen] == [
        ("Day", "dates as 2024-06-30", "2024-06-01"),
        ("Channel", "text", "email"),
        ("Impressions", "whole numbers", "120"),
        ("Clicks", "whole numbers", "3"),
    ]


@pytest.mark.parametrize(
    ("entry", "content", "hints"),
    [
        (
            VISITS,
            "Date,Sessions,Users,Session source,Owner\n2024-06-01,1,1,x,Ann\n",
            [
                'These columns may be meant: `columns: {date: Date, source: "Session source", '
                "visits: Sessions, visitors: Users}`."
            ],
        ),
        (
            VISITS,
            "source,2024-06-01,2024-06-02\ngoogle,1,2\n",
            [
                'The header has days: `unpivot: {header: "%Y-%m-%d", value: visits}` makes a row '
                "of each, if the cells are that."
            ],
        ),
        (
            VISITS,
            "date,visits,site\n2024-06-01,3,rio\n2024-06-01,4,york\n",
            [
                "'site' names products. If the rows are theirs: `products: {column: site, "
                "values: {rio: rio, york: york}}` instead of `product`."
            ],
        ),
        (
            VISITS.replace("true", "false"),
            "date,visits\n2024-06-01,3\n2024-06-04,4\n",
            [
                "2024-06-04, the last day, stays absent until there is a later one; if it is "
                "whole: `last_day_complete: true`.",
                "2024-06-02, 2024-06-03 have no row; as the files cover them, they land as days "
                "on which nothing happened.",
            ],
        ),
        (VISITS, "date;visits\n2024-06-01;3\n", ['`delimiter: ";"`.']),
        (VISITS, "date\tvisits\n2024-06-01\t3\n", ['`delimiter: "tab"`.']),
        (VISITS, "date,visits\n2024-06-01,3\n", []),
        (VISITS, "date,visits,2023-06-01\n2024-06-01,3,2\n", []),
        (
            f"{VIEWS}, time_zone: Europe/Madrid",
            "occurred_at,visitor_id,url\n2024-06-01 10:00:00,v,/\n",
            [],
        ),
        (
            VIEWS,
            "occurred_at,visitor_id,url\n2024-06-01T10:00:00Z,v,/\n",
            [],
        ),
    ],
)
def test_what_is_probably_not_meant_so_is_told_with_its_option(
    place: Place, entry: str, content: str, hints: list[str]
) -> None:
    place.write("file.csv", content)
    found = place.tried(f"{entry}, files: file.csv").hints
    assert len(found) == len(hints)
    for hint, expected in zip(found, hints, strict=True):
        assert hint == expected or (expected.startswith("`") and hint.endswith(expected))


@pytest.mark.parametrize("year", [1926, 2099])
def test_a_day_far_from_the_others_is_told_and_not_all_between(place: Place, year: int) -> None:
    place.write(
        "file.csv", f"date,visits\n2024-06-01,3\n2024-06-02,3\n2024-06-04,3\n{year}-06-03,3\n"
    )
    assert place.tried(f"{VISITS}, files: file.csv").hints == (
        f"{year}-06-03 is far from the other days; if a clock or a format was wrong there, have "
        "the row corrected, for the files cover all days from the first to the last.",
        "2024-06-03 have no row; as the files cover them, they land as days on which nothing "
        "happened.",
    )


def test_the_declared_format_is_the_one_that_values_look_like(place: Place) -> None:
    place.write("file.csv", "date,visits\n06/01/24,3\n06/02/24,3\n")
    trial = place.tried(f'{VISITS}, files: file.csv, time_format: "%m/%d/%y"')
    assert trial.landed == 2
    assert [c.shape for c in trial.seen] == ["dates or times as %m/%d/%y", "whole numbers"]


@pytest.mark.parametrize(
    "content",
    [
        b"visits,source,date\r\n15,a,2024-06-01\n25,b,2024-06-01\r\n35,c,2024-06-01\r\n",
        b"visits,source,date\r\n15,a,2024-06-01\r25,b,2024-06-01\r\n35,c,2024-06-01\r\n",
        b"visits,source,date\n15,a,2024-06-01\r25,b,2024-06-01\n35,c,2024-06-01\n",
        b"visits,source,date\n15,a,2024-06-01\n25,b,2024-06-01\n35,c,2024-06-01\r",
        b"visits,source,date\r\r\n15,a,2024-06-01\r\r\n25,b,2024-06-01\r\r\n35,c,2024-06-01",
    ],
)
def test_line_ends_of_several_kinds_lose_no_row(place: Place, content: bytes) -> None:
    place.write("visits.csv", content)
    trial = place.tried(f"{VISITS}, files: visits.csv")
    assert (trial.landed, trial.quarantined, trial.problems) == (3, 0, ())
    assert [(row[1], row[5]) for row in trial.rows] == [("a", "15"), ("b", "25"), ("c", "35")]
    assert {column.name: column.shape for column in trial.seen}["visits"] == "whole numbers"


def test_a_zip_with_something_else_in_it_is_told_with_its_option(place: Place) -> None:
    with zipfile.ZipFile(place.workspace / "z.zip", "w") as archive:
        archive.writestr("a.csv", "DATE,visits\n2024-06-01,3\n")
        archive.writestr("readme.txt", "Visits of june\n")
    assert place.tried(f"{VISITS}, files: z.zip").problems == (
        "z.zip/a.csv has no column 'date'; it has DATE, visits. Did you mean 'DATE'? If it is no "
        "file to read, say in `member` which of the ZIP are.",
        "z.zip/readme.txt has no column 'date'; it has Visits of june. If it is no file to read, "
        "say in `member` which of the ZIP are.",
    )
    trial = place.tried(f'{VISITS}, files: z.zip, member: "*.CSV"')
    assert trial.hints == ("z.zip: member: *.CSV of sources.yml passes over 'a.csv'.",)
    assert "no file that matches member" in trial.problems[0]


def test_rows_of_other_products_are_counted_apart(place: Place) -> None:
    place.write("visits.csv", "date,visits,site\n2024-06-01,3,rio\n2024-06-01,4,york\n")
    both = VISITS.replace("product: york, ", "")
    place.declare(
        f"{both}, files: visits.csv, products: {{column: site, values: {{rio: rio, york: york}}}}"
    )
    declared = chosen(place.workspace, product="york")
    trial = tried(place.settings, declared, AT)
    assert (trial.read, trial.landed, trial.others, trial.hints) == (1, 1, 1, ())
    assert "1 row of other products besides" in list(told(trial))
    told_how = "such as `kpi source try 1 --product rio`:"
    with pytest.raises(ConfigurationError, match=told_how):
        chosen(place.workspace, 1)
    assert chosen(place.workspace, 1, product="rio").source.product == "rio"


def test_files_that_are_not_there_are_told_beside_those_that_are(place: Place) -> None:
    for name in ("visits_june.csv", "visits_july.csv", "other.txt", "more.txt", "most.txt"):
        place.write(f"data/{name}", "")
    trial = place.tried(f"{VISITS}, files: data/visit_june.csv")
    assert (trial.found, trial.files, trial.read) == (0, (), 0)
    assert trial.hints == (
        f"No file is named like data/visit_june.csv. The folder {place.workspace}/data has "
        "visits_june.csv, visits_july.csv and 3 more.",
    )


def test_a_key_twice_is_a_problem_of_its_day(place: Place) -> None:
    place.write("visits.csv", "date,source,visits\n2024-06-01,a,1\n2024-06-01,a,2\n")
    trial = place.tried(f"{VISITS}, files: visits.csv")
    assert len(trial.problems) == 1
    assert trial.problems[0].startswith("2024-06-01: traffic repeats 1 key, first date 2024-06-01")
    trial = place.tried(f"{VISITS}, files: visits.csv, on_repeat: sum")
    assert (trial.problems, trial.landed, trial.made) == ((), 2, 1)
    assert "they become 1 row, because rows of one key are added" in list(told(trial))


def test_of_a_file_a_day_the_latest_are_read_and_replaced_ones_are_named(place: Place) -> None:
    for day in range(1, 6):
        for edition in "ab":
            place.write(f"visits-2024-06-0{day}-{edition}.csv", f"date,visits\n2024-06-0{day},3\n")
    entry = VISITS.replace("covering, last_day_complete: true", "file_per_day")
    entry += ", files: 'visits-{day}-*.csv', several_files_a_day: last"
    trial = place.tried(entry, days=2)
    assert (trial.found, list(trial.days)) == (5, [date(2024, 6, 4), date(2024, 6, 5)])
    assert [(f.name, f.replaces) for f in trial.files] == [
        ("visits-2024-06-04-b.csv", ("visits-2024-06-04-a.csv",)),
        ("visits-2024-06-05-b.csv", ("visits-2024-06-05-a.csv",)),
    ]
    assert list(told(trial))[2:5] == [
        "  5 files found, read here: the latest 2",
        "    visits-2024-06-04-b.csv: 1 row, instead of visits-2024-06-04-a.csv",
        "    visits-2024-06-05-b.csv: 1 row, instead of visits-2024-06-05-a.csv",
    ]
    one = place.tried(entry, file=place.workspace / "visits-2024-06-01-a.csv")
    assert (one.found, list(one.days)) == (1, [date(2024, 6, 1)])
    with pytest.raises(ConfigurationError, match="is not a file; give one to --file"):
        place.tried(entry, file=place.workspace / "nothing.csv")


def test_the_lines_of_a_log_are_counted_by_what_becomes_of_them(place: Place) -> None:
    stamp = '1.2.3.4 - - [01/Jun/2024:10:00:00 +0000] "GET'
    place.write(
        "access.log",
        f'{stamp} /a HTTP/1.1" 200 12 "-" "Mozilla/5.0"\n'
        f'{stamp} /a.css HTTP/1.1" 200 12 "-" "Mozilla/5.0"\n'
        f'{stamp} /b HTTP/1.1" 200 12 "-" "Mozi\n',
    )
    trial = place.tried(
        "feed: page_views, product: rio, format: access_log, arrival: covering, "
        "last_day_complete: true, files: access.log"
    )
    assert (trial.landed, trial.quarantined, sum(trial.dropped.values())) == (1, 1, 1)
    assert (trial.seen, trial.wanted) == ((), ())
    assert "1.2.3.4" not in "\n".join(told(trial))


def test_wrong_entries_do_not_keep_the_others_from_being_tried(place: Place) -> None:
    place.declare(f"{VISITS}, files: a.csv, formt: csv", f"{VISITS}, files: b.csv")
    (place.workspace / "organisation" / "people.csv").write_text("nonsense\n1\n")
    assert [(d.number, d.source.files) for d in declarations(place.workspace)] == [(2, "b.csv")]
    assert chosen(place.workspace, 2).source.files == "b.csv"
    with pytest.raises(ConfigurationError, match=r"Source 1 of sources.yml cannot be tried yet:\n"):
        chosen(place.workspace, 1)
    (place.workspace / "organisation" / "products.csv").write_text("product_id\nyork\n")
    with pytest.raises(ConfigurationError, match="does not say the time zone and the currency"):
        chosen(place.workspace, 2)


def test_the_choice_among_several_is_by_number_feed_product_or_table(place: Place) -> None:
    found = declarations(place.workspace)
    assert len(found) == 18
    assert (
        chosen(place.workspace, feed="traffic", product="york", table="traffic").source.table
        == "traffic"
    )
    users = chosen(place.workspace, feed="user_growth", product="rio", table="users")
    assert (
        str(users)
        == f"{users.number:>3}  user_growth, users, of rio: data/rio/users/{{day}}.csv (csv)"
    )
    with pytest.raises(ConfigurationError) as several:
        chosen(place.workspace, product="york")
    assert str(several.value).splitlines() == [
        "There are several; say which by its number, such as `kpi source try 14`:",
        " 14  traffic of york: data/york/traffic/{day}.csv (csv)",
        " 15  traffic, traffic_uniques, of york: data/york/traffic_uniques/{day}.csv (csv)",
        " 16  exposure of york: data/york/exposure/{day}.csv (csv)",
        " 17  exposure, exposure_reach, of york: data/york/exposure_reach/{day}.csv (csv)",
        " 18  exposure, exposure_market, of york: data/york/exposure_market/{day}.csv (csv)",
    ]
    with pytest.raises(ConfigurationError, match="There is no such source in"):
        chosen(place.workspace, 19)


@pytest.mark.parametrize(
    ("texts", "shape"),
    [
        ([], "empty"),
        (["1", " 22 ", "-3"], "whole numbers"),
        (["1", "2.5"], "numbers as 1234.5"),
        (["1,234.5", "1"], "numbers as 1,234.5"),
        (["1.234,5"], "numbers as 1.234,5"),
        (["1234,5"], "numbers as 1234,5"),
        (["1 234,5"], "numbers as 1 234,5"),
        (["45 %", "3.2%"], "percentages"),
        (["1:02:03", "4:05"], "durations"),
        (["true", "FALSE"], "true or false"),
        (["2024-06-30"], "dates as 2024-06-30"),
        (["2024-06-30T10:00:00Z"], "times with their zone"),
        (["2024-06-30 10:00"], "times without a zone"),
        (["30.06.2024"], "dates or times as %d.%m.%Y"),
        (["Jun 30, 2024"], "dates or times as %b %d, %Y"),
        (["a@b.org"], "e-mail addresses"),
        (["10.0.0.1", "2001:db8:0:1::7"], "IP addresses"),
        (["0b8b7f0e-1111-2222-3333-444455556666"], "ids"),
        (["1", "2", "3", "x"], "mostly whole numbers"),
        (["1", "2", "x"], "text"),
        (["a1", "b"], "text"),
    ],
)
def test_values_are_told_by_their_shape(
    connection: duckdb.DuckDBPyConnection, texts: list[str], shape: str
) -> None:
    assert shape_of(connection, texts) == shape


def test_a_column_is_recognised_by_its_name() -> None:
    columns = (
        "Sessions",
        "Amount spent",
        "Campaign Name",
        "visitor id",
        "Impresions",
        "Páginas_vistas",
    )
    named = {
        "page_views": "Páginas_vistas",
        "visits": "Sessions",
        "cost": "Amount spent",
        "campaign": "Campaign Name",
        "visitor_id": "visitor id",
        "impressions": "Impresions",
        "clicks": None,
    }
    assert {name: likely(name, columns) for name in named} == named


def test_addresses_are_masked_wherever_they_stand() -> None:
    assert masked("visitor-7") == "vi…"
    assert (masked("12345"), masked("123"), masked("12"), masked("")) == ("12…", "1…", "…", "")
    assert without_addresses("to ann@example.org from 10.1.2.3 and fe80:1:2::7b") == (
        "to an… from 10… and fe…"
    )


def kpi(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
) -> tuple[int, str, str]:
    monkeypatch.setenv("KPI_WORKSPACE", str(place.workspace))
    monkeypatch.setenv("KPI_HOME", str(place.home))
    monkeypatch.delenv("KPI_HASH_KEY", raising=False)
    monkeypatch.setattr(sys, "argv", ["kpi", "source", *arguments])
    monkeypatch.setattr(logging, "disable", lambda _level: None)
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_tells_the_whole_trial(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.declare(f"{VISITS}, files: visits.csv, columns: {{visits: Sessions}}")
    place.write("visits.csv", "date,Sessions,Users,Owner\n2024-06-01,12,9,Ann\n2024-06-02,x,9,Bo\n")
    code, out, err = kpi(place, monkeypatch, capsys, "try", "1")
    assert err.endswith("reading visits.csv\n")
    assert (code, out) == (
        0,
        """\
Source 1 of sources.yml: traffic of york, table traffic
  visits.csv (csv, utf-8, covering)
  1 file found
    visits.csv: 2 rows

  column            wanted           from                        looks like           example
  date              date, required   by its name                 dates as 2024-06-30  2024-06-01
  source            text             not there
  medium            text             not there
  campaign          text             not there
  device            text             not there
  visits            count, required  'Sessions'                  whole numbers        12
  visitors          count            not there, perhaps 'Users'
  new_visitors      count            not there
  page_views        count            not there
  bounces           count            not there
  duration_seconds  count            not there

Not used:
  Users  whole numbers  9
  Owner  text           A…

2 rows read = 1 landed + 1 in quarantine + 0 dropped
1 day, 2024-06-01, 1 row on the median day

First rows as they would land:
  date        source     medium     campaign   device     visits  local_date
  2024-06-01  (not set)  (not set)  (not set)  (not set)  12      2024-06-01

In quarantine:
  1 row: visits: 'x' is no value; if it means that nothing was recorded, declare it in null_tokens
    expected a whole number from 0, as 1234; in visits.csv, row 3
    - 'x' says that there is no value, and traffic requires visits: have the file say the number, \
0 if it means none.

Hints:
  - These columns may be meant: `columns: {visitors: Users}`.
""",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["try", "1"], 1, "kpi: As it is declared, it cannot land; the lines above say why."),
        (["try", "7"], 2, "There is no such source in sources.yml, which has:"),
        (["try", "--feed", "trafic"], 2, "did you mean 'traffic'?"),
        (["try", "--table", "user"], 2, "did you mean 'users'?"),
        (["try", "--file", "nothing.csv"], 2, "nothing.csv is not a file; give one to --file."),
        (["try", "one"], 2, "Invalid value for 'N'"),
        (["tri"], 2, "Did you mean 'try'?"),
    ],
)
def test_mistakes_end_with_a_sentence_and_a_code(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    sentence: str,
) -> None:
    place.declare(f"{VISITS}, files: visits.csv")
    got, _, err = kpi(place, monkeypatch, capsys, *arguments)
    assert (got, sentence in err) == (code, True)


def test_sources_are_listed_with_their_numbers(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.declare(f"{VISITS}, files: visits.csv", f"{VISITS}, files: more.csv, formt: csv")
    code, out, _ = kpi(place, monkeypatch, capsys, "list")
    assert (code, out) == (0, "  1  traffic of york: visits.csv (csv)\n")
