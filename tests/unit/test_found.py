"""Which files a pattern finds, in folders and in stores, and what it says where it cannot look."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import fsspec
import pytest

from kpi_pipeline.errors import ConfigurationError, PipelineError
from kpi_pipeline.feeds.found import SourceFile, find, has_changed
from kpi_pipeline.workspace import Source

DAY, NEXT = date(2024, 6, 30), date(2024, 7, 1)


def source(files: str, **more: object) -> Source:
    arrival = "file_per_day" if "{day}" in files else "covering"
    return Source("traffic", "traffic", "p", files, "csv", arrival, **more)  # type: ignore[arg-type]


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"a\n{name}\n")


def named(found: tuple[SourceFile, ...]) -> list[tuple[int, str, date | None]]:
    return [(file.number, file.name, file.day) for file in found]


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """A store in memory, empty before and after."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder with closed folders in it, seen as somebody who is not root."""
    folder = Path(tempfile.mkdtemp())  # pytest's own are closed to others altogether
    folder.chmod(0o755)
    write(folder, "in/closed/x.csv", "closed/x.csv", "in/open/x.csv")
    for closed in ("in/closed", "closed"):
        (folder / closed).chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    for closed in ("in/closed", "closed"):
        (folder / closed).chmod(0o755)
    shutil.rmtree(folder)


def test_found_file_has_its_path_its_day_and_a_stamp(tmp_path: Path) -> None:
    write(tmp_path, "exports/2024-06-30.csv")
    path = tmp_path / "exports/2024-06-30.csv"
    stamp = (path.stat().st_size, str(path.stat().st_mtime_ns))
    assert find(source("exports/{day}.csv"), tmp_path) == (
        SourceFile(0, path, "exports/2024-06-30.csv", DAY, stamp, ()),
    )


def test_names_are_in_order_with_their_numbers_as_numbers(tmp_path: Path) -> None:
    write(tmp_path, "t/b-10.csv", "t/b-9.csv", "t/a.csv", "t/b-09.csv", "t/c.txt", "t/d.csv/x")
    assert named(find(source("t/*.csv"), tmp_path)) == [
        (0, "t/a.csv", None),
        (1, "t/b-09.csv", None),
        (2, "t/b-9.csv", None),
        (3, "t/b-10.csv", None),
    ]


def test_every_kind_of_wildcard_keeps_the_day(tmp_path: Path) -> None:
    write(tmp_path, "x/y/2024-06-30-a1.csv", "x/2024-07-01-b2.csv", "x/2024-13-45-a1.csv")
    write(tmp_path, "x/z/2024-06-30-a12.csv", "x/z/last-a1.csv", "x/2020-01-01/2024-07-01-a3.csv")
    assert named(find(source("x/**/{day}-[ab]?.csv"), tmp_path)) == [
        (0, "x/2020-01-01/2024-07-01-a3.csv", NEXT),
        (1, "x/2024-07-01-b2.csv", NEXT),
        (2, "x/y/2024-06-30-a1.csv", DAY),
    ]


def test_wildcards_in_the_workspace_folder_are_none(tmp_path: Path) -> None:
    root = tmp_path / "[ab]*"
    write(root, "2024-06-30.csv")
    write(tmp_path / "ab", "2024-07-01.csv")
    assert named(find(source("{day}.csv"), root)) == [(0, "2024-06-30.csv", DAY)]


def test_absolute_pattern_and_file_url_find_files_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, "in/2024-06-30.csv")
    pattern = f"{tmp_path}/in/{{day}}.csv"
    path = tmp_path / "in/2024-06-30.csv"
    local = find(source(pattern), tmp_path / "workspace")
    by_url = find(source(f"file://{pattern}"), tmp_path / "workspace")
    assert named(local) == [(0, str(path), DAY)]
    assert named(by_url) == [(0, f"file://{path}", DAY)]
    assert [file.path for file in (*local, *by_url)] == [path, path]


def test_last_file_of_a_day_replaces_the_others(tmp_path: Path) -> None:
    write(tmp_path, "2024-06-30-v9.csv", "2024-06-30-v10.csv", "2024-06-30-v1.csv")
    write(tmp_path, "2024-07-01-v1.csv")
    found = find(source("{day}-v*.csv", several_files_a_day="last"), tmp_path)
    assert [(file.number, file.name, file.replaces) for file in found] == [
        (0, "2024-06-30-v10.csv", ("2024-06-30-v1.csv", "2024-06-30-v9.csv")),
        (1, "2024-07-01-v1.csv", ()),
    ]
    assert len(find(source("{day}-v*.csv"), tmp_path)) == 4


def test_nothing_found_is_no_error(tmp_path: Path, memory: fsspec.AbstractFileSystem) -> None:
    patterns = ("{day}.csv", "none/x.csv", "none/**/*.csv", "memory://none/*.csv", "memory://x.csv")
    assert [find(source(pattern), tmp_path) for pattern in patterns] == [()] * 5


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("closed/*.csv", "closed"),
        ("closed/x.csv", "closed/x.csv"),
        ("in/*/*.csv", "in/closed"),
        ("in/*/x.csv", "in/closed/x.csv"),
        ("in/**/x.csv", "in/closed/x.csv"),
    ],
)
def test_folder_without_permission_is_named(closed_folder: Path, pattern: str, place: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        find(source(pattern), closed_folder)
    assert str(told.value) == (
        f"{closed_folder}/{place} cannot be listed: this user has no permission. Permit it to read "
        f"and enter the folder, for the files {closed_folder}/{pattern}."
    )


def test_files_of_a_store_are_found_with_their_day(
    tmp_path: Path, memory: fsspec.AbstractFileSystem
) -> None:
    for name in ("2024-07-01-b", "2024-06-30-a", "2024-13-45-a", "readme"):
        memory.pipe(f"/in/x/{name}.csv", b"a\n1\n")
    found = find(source("memory://in/*/{day}*.csv"), tmp_path)
    assert named(found) == [
        (0, "memory://in/x/2024-06-30-a.csv", DAY),
        (1, "memory://in/x/2024-07-01-b.csv", NEXT),
    ]
    assert [(file.path, file.stamp[0]) for file in found] == [(None, 4), (None, 4)]
    assert [has_changed(file) for file in found] == [False, False]


def test_a_file_that_grows_is_changed_and_one_that_is_gone_too(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "b.csv", "c.csv")
    found = find(source("*.csv"), tmp_path)
    with (tmp_path / "a.csv").open("a") as stream:
        stream.write("2\n")
    (tmp_path / "b.csv").unlink()
    assert [has_changed(file) for file in found] == [True, True, False]


def test_a_changed_file_of_a_store_is_seen(
    tmp_path: Path, memory: fsspec.AbstractFileSystem
) -> None:
    for name in ("a", "b", "c"):
        memory.pipe(f"/in/{name}.csv", b"a\n1\n")
    found = find(source("memory://in/*.csv"), tmp_path)
    memory.pipe("/in/a.csv", b"a\n2\n")
    memory.rm("/in/b.csv")
    assert [has_changed(file) for file in found] == [True, True, False]


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("s3://AKIA:se/cret@bucket/x.csv", "s3"),
        ("ftp://reports:hunter2@ftp.example.com/x.csv", "ftp"),
        ("https://example.com/x.csv?X-Amz-Credential=AKIA&X-Amz-Signature=abc", "https"),
        ("https://example.blob.core.windows.net/c/x.csv?sv=1&sig=abc", "https"),
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(
    tmp_path: Path, url: str, scheme: str
) -> None:
    with pytest.raises(ConfigurationError) as told:
        find(source(url), tmp_path)
    assert str(told.value) == (
        f"sources.yml has a password or a key in the {scheme}:// URL of traffic of p. Take it out "
        "and set it in the environment (such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) or "
        "in fsspec's configuration."
    )


def test_a_store_that_cannot_be_used_says_what_is_missing(tmp_path: Path) -> None:
    told = {}
    for url in (
        "gs://bucket/x.csv",
        "abfs://container@account.dfs.core.windows.net/x.csv",
        "sftp://user@127.0.0.1/x.csv",
        "nosuch://bucket/x.csv",
        "zip://*.csv::memory://x.zip",
    ):
        with pytest.raises(ConfigurationError) as error:
            find(source(url), tmp_path)
        told[url.split(":")[0]] = str(error.value).removeprefix(url)
    assert told == {
        "gs": " needs a driver that is not installed: pip install gcsfs.",
        "abfs": " needs a driver that is not installed: pip install adlfs.",
        "sftp": ' needs a driver that is not installed: SFTPFileSystem requires "paramiko" to be '
        "installed.",
        "nosuch": " cannot be used: Protocol not known: nosuch.",
        "zip": " is a chain of URLs; expected one, such as s3://b/x.zip.",
    }


def test_a_store_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as told:
        find(source("ftp://127.0.0.1:1/x/*.csv"), tmp_path)
    assert str(told.value) == (
        "ftp://127.0.0.1:1/x/*.csv cannot be reached: [Errno 111] Connection refused."
    )
