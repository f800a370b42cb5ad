"""Identifiers are replaced by HMAC-SHA-256, cut to 128 bits; the key is only ever bound."""

# ruff: noqa: S608  # the only thing put into the text is a constant
from __future__ import annotations

import hashlib
import hmac

import duckdb

BLOCK = 64
KEPT = 32  # hex digits


def install(connection: duckdb.DuckDBPyConnection, key: str) -> None:
    """Define the macro `keyed(text)`; NULL stays NULL. RFC 2104 over DuckDB's sha256.

    The variable `salt` is a secret of its own, to begin a text with whose hash is to tell nothing.
    """
    secret = key.encode()
    if len(secret) > BLOCK:
        secret = hashlib.sha256(secret).digest()
    padded = secret.ljust(BLOCK, b"\0")
    connection.execute("create temp table key_pads(inside BLOB, outside BLOB, salt VARCHAR)")
    connection.execute(
        "insert into key_pads values (?, ?, ?)",
        [
            bytes(b ^ 0x36 for b in padded),
            bytes(b ^ 0x5C for b in padded),
            hmac.new(secret, b"kpi-pipeline salt", hashlib.sha256).hexdigest(),
        ],
    )
    connection.execute("set variable salt = (select salt from key_pads)")
    connection.execute(
        "create temp macro keyed(id) as left(sha256((select outside from key_pads) || "
        f"unhex(sha256((select inside from key_pads) || encode(id)))), {KEPT})"
    )


def keyed(key: str, identifier: str) -> str:
    """The same in Python."""
    return hmac.new(key.encode(), identifier.encode(), hashlib.sha256).hexdigest()[:KEPT]


def key_id(key: str) -> str:
    """Names the key without giving it away: 8 hex digits."""
    return keyed(key, "kpi-pipeline key id")[:8]
