"""Files in an S3 store: a server of its own, found, fetched and refused through `s3://`."""

from __future__ import annotations

import gzip
import sys
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import boto3
import duckdb
import pytest
from moto.server import ThreadedMotoServer

from kpi_pipeline.errors import PipelineError
from kpi_pipeline.feeds.found import find, has_changed
from kpi_pipeline.feeds.unpacked import unpack
from kpi_pipeline.workspace import Source

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "not-so-secret"}


def source(files: str, **more: object) -> Source:
    arrival = "file_per_day" if "{day}" in files else "covering"
    return Source("traffic", "traffic", "p", files, "csv", arrival, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.client]:
    """An empty bucket `exports`, reached with what is in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    reset(endpoint, "reset", b"")
    forget_connections()
    client = boto3.client("s3")
    client.create_bucket(Bucket="exports")
    yield client
    forget_connections()


def reset(endpoint: str, what: str, data: bytes) -> None:
    request = urllib.request.Request(f"{endpoint}/moto-api/{what}", data, method="POST")
    request.add_header("Content-Type", "text/plain")
    urllib.request.urlopen(request).close()


def forget_connections() -> None:
    if "s3fs" in sys.modules:
        sys.modules["s3fs"].S3FileSystem.clear_instance_cache()


def put(store: boto3.client, **files: bytes) -> None:
    for key, content in files.items():
        store.put_object(Bucket="exports", Key=key, Body=content)


def refused(files: str, root: Path) -> str:
    with pytest.raises(PipelineError) as told:
        find(source(files), root)
    return str(told.value)


def test_files_of_days_are_found_fetched_and_read(store: boto3.client, tmp_path: Path) -> None:
    put(
        store,
        **{
            "daily/2024-07-01-x.csv.gz": gzip.compress(b"date,visits\n2024-07-01,2\n"),
            "daily/2024-06-30.csv.gz": gzip.compress(b"date,visits\n2024-06-30,1\n"),
            "daily/sub/2024-06-30.csv.gz": b"in another folder",
            "daily/2024-06-29.csv.gz/part": b"in a folder with a name like a file's",
            "daily/2024-06-30.txt": b"of another kind",
            "daily/latest.csv.gz": b"of no day",
        },
    )
    daily = source("s3://exports/daily/{day}*.csv.gz")
    found = find(daily, tmp_path)
    assert [(f.number, f.path, f.name, f.day) for f in found] == [
        (0, None, "s3://exports/daily/2024-06-30.csv.gz", date(2024, 6, 30)),
        (1, None, "s3://exports/daily/2024-07-01-x.csv.gz", date(2024, 7, 1)),
    ]
    unpacked = unpack(daily, found, tmp_path)
    assert [(u.number, u.file, u.name, u.problem) for u in unpacked] == [
        (number, file, file.name, None) for number, file in enumerate(found)
    ]
    read = "select date, visits from read_csv(?, header = true) order by date"
    rows = duckdb.execute(read, [[str(u.path) for u in unpacked]]).fetchall()
    assert rows == [(date(2024, 6, 30), 1), (date(2024, 7, 1), 2)]


def test_a_new_file_and_a_changed_one_are_seen(store: boto3.client, tmp_path: Path) -> None:
    put(store, **{"a/1.csv": b"a\n1\n", "a/2.csv": b"a\n1\n", "a/3.csv": b"a\n1\n"})
    before = find(source("s3://exports/a/*.csv"), tmp_path)
    put(store, **{"a/2.csv": b"a\n2\n", "a/4.csv": b"a\n4\n"})
    store.delete_object(Bucket="exports", Key="a/3.csv")
    after = find(source("s3://exports/a/*.csv"), tmp_path)
    assert [has_changed(file) for file in before] == [False, True, True]
    assert [has_changed(file) for file in after] == [False, False, False]
    assert [f.name for f in after] == [f"s3://exports/a/{n}.csv" for n in (1, 2, 4)]
    assert (before[0].stamp == after[0].stamp, before[1].stamp == after[1].stamp) == (True, False)


def test_a_file_that_went_after_it_was_found_is_a_problem_of_its_own(
    store: boto3.client, tmp_path: Path
) -> None:
    put(store, **{"a/1.csv": b"a\n1\n", "a/2.csv": b"a\n2\n"})
    several = source("s3://exports/a/*.csv")
    found = find(several, tmp_path)
    store.delete_object(Bucket="exports", Key="a/1.csv")
    gone, there = unpack(several, found, tmp_path)
    assert gone.problem == "s3://exports/a/1.csv was listed, but is no longer there."
    assert (there.problem, there.path.read_bytes()) == (None, b"a\n2\n")


def test_a_store_that_refuses_is_told_without_keys(
    store: boto3.client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(source("s3://exports/none/*.csv"), tmp_path) == ()
    assert refused("s3://missing/{day}.csv", tmp_path) == (
        "s3://missing/{day}.csv has no such bucket or folder."
    )
    assert refused("s3://missing/x.csv", tmp_path) == (
        "s3://missing/x.csv has no such bucket or folder."
    )
    reset(store.meta.endpoint_url, "reset-auth", b"0")
    try:
        forget_connections()
        message = refused("s3://exports/a/*.csv", tmp_path)
    finally:
        reset(store.meta.endpoint_url, "reset-auth", b"1e12")
    assert message.startswith("s3://exports/a/*.csv may not be listed: ")
    assert message.endswith("Check the keys in the environment and what they are allowed.")
    assert not any(key in message for key in KEYS.values())
    for name in KEYS:
        monkeypatch.delenv(name)
    forget_connections()
    assert refused("s3://exports/a/*.csv", tmp_path) == (
        "s3://exports/a/*.csv needs keys, and the environment has none (such as AWS_ACCESS_KEY_ID "
        "and AWS_SECRET_ACCESS_KEY)."
    )


def test_a_store_that_does_not_answer_is_told(
    store: boto3.client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, **{"a/1.csv": b"a\n1\n"})
    found = find(source("s3://exports/a/*.csv"), tmp_path)
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    forget_connections()
    assert refused("s3://exports/a/*.csv", tmp_path) == (
        "s3://exports/a/*.csv cannot be reached: Could not connect to the endpoint URL: "
        '"http://127.0.0.1:1/exports".'
    )
    with pytest.raises(PipelineError, match=r"^s3://exports/a/1.csv cannot be reached: "):
        unpack(source("s3://exports/a/*.csv"), found, tmp_path)


def test_a_missing_driver_is_told_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    assert refused("s3://exports/x.csv", tmp_path) == (
        "s3://exports/x.csv needs a driver that is not installed: pip install s3fs."
    )
