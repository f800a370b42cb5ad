"""The daily figures of products, channels, campaigns, devices and pages by pandas and by polars.

What somebody would write instead of this pipeline: file by file, so that memory lasts, and just the
days: no weeks, months or quarters, no company, teams and people, nothing kept for tomorrow.
`python -m bench.peers NAME FOLDER OUT` writes CSV with a row for each product, day and scope.
"""

# ruff: noqa: S608  # paths are our own
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb

COLUMNS = ["event_id", "occurred_at", "visitor_id", "url", "referrer", "device", "is_bot"]
SCOPES = ("product", "channel", "campaign", "device")
PAUSE_SECONDS = 1800
TAGS = r"\?(utm_.*)$"
PAGE = r"^https?://[^/]+(/[^?]*)"
HOST = r"^https?://(?:www\.)?([^/]+)"
MEDIA = {"cpc": "paid_search", "display": "display", "email": "email", "social": "social"}
HOSTS = {
    "google.com": "organic_search",
    "baidu.com": "organic_search",
    "facebook.com": "social",
    "weibo.com": "social",
    "blog.example": "referral",
}


def by_pandas(files: list[Path], out: Path) -> None:
    """pandas, one file after the other."""
    import pandas as pd

    parts = []
    for file in files:
        views = pd.read_parquet(file, columns=COLUMNS)
        views = views[~views["is_bot"]].drop_duplicates("event_id")
        views = views.sort_values(["visitor_id", "occurred_at", "event_id"], ignore_index=True)
        tags = views["url"].str.extract(TAGS)[0]
        visitor = views["visitor_id"]
        pause = views["occurred_at"].diff().dt.total_seconds() > PAUSE_SECONDS
        pause |= visitor != visitor.shift()
        stretch = pause.cumsum()
        before = tags.groupby(stretch).ffill().groupby(stretch).shift()
        views["page"] = views["url"].str.extract(PAGE)[0]
        views["visit"] = (pause | (tags.notna() & (tags != before.fillna("")))).cumsum()
        visits = views.groupby("visit").agg(
            page=("page", "first"),
            url=("url", "first"),
            referrer=("referrer", lambda referrers: referrers.iloc[0]),
            device=("device", "first"),
            page_views=("url", "size"),
            began=("occurred_at", "min"),
            ended=("occurred_at", "max"),
        )
        visits["seconds"] = (visits["ended"] - visits["began"]).dt.total_seconds()
        visits["bounces"] = visits["page_views"] == 1
        visits["product"] = _product(file)
        medium = visits["url"].str.extract("utm_medium=([^&]*)")[0].map(MEDIA)
        host = visits["referrer"].str.extract(HOST)[0].map(HOSTS)
        visits["channel"] = medium.fillna(host).fillna("direct")
        visits["campaign"] = (
            visits["url"].str.extract("utm_campaign=([^&]*)")[0].fillna("(not set)")
        )
        named = views[["visit", "visitor_id"]].join(visits[list(SCOPES)], on="visit")
        for scope in SCOPES:
            own = visits.groupby(scope)
            figures = own[["page_views", "bounces", "seconds"]].sum()
            figures["visits"] = own.size()
            figures["unique_visitors"] = named.groupby(scope)["visitor_id"].nunique()
            parts.append(_labelled(figures.reset_index(names="scope_id"), scope, file))
        pages = views.groupby("page").agg(
            page_views=("url", "size"), unique_visitors=("visitor_id", "nunique")
        )
        entered = visits.groupby("page")
        pages["visits"] = entered.size()
        pages["bounces"] = entered["bounces"].sum()
        parts.append(_labelled(pages.reset_index(names="scope_id"), "page", file))
    pd.concat(parts).to_csv(out, index=False)


def _labelled(figures: Any, scope: str, file: Path) -> Any:
    return figures.assign(scope_kind=scope, product_id=_product(file), day=_day(file))


def by_polars(files: list[Path], out: Path) -> None:
    """polars, lazily within each file."""
    import polars as pl

    parts = []
    for file in files:
        tags = pl.col("url").str.extract(TAGS)
        visitor = pl.col("visitor_id")
        views = (
            pl.scan_parquet(file)
            .select(COLUMNS)
            .filter(~pl.col("is_bot"))
            .unique("event_id")
            .sort("visitor_id", "occurred_at", "event_id")
            .with_columns(
                page=pl.col("url").str.extract(PAGE),
                tags=tags,
                pause=(visitor != visitor.shift()).fill_null(True)
                | (pl.col("occurred_at").diff().dt.total_seconds() > PAUSE_SECONDS),
            )
            .with_columns(stretch=pl.col("pause").cum_sum())
            .with_columns(before=pl.col("tags").forward_fill().shift().over("stretch"))
            .with_columns(
                visit=(
                    pl.col("pause")
                    | (pl.col("tags").is_not_null() & pl.col("tags").ne_missing(pl.col("before")))
                ).cum_sum()
            )
            .collect()
        )
        at = pl.col("occurred_at")
        visits = (
            views.group_by("visit", maintain_order=True)
            .agg(
                pl.col("page", "url", "referrer", "device").first(),
                pl.len().alias("page_views"),
                seconds=(at.max() - at.min()).dt.total_seconds(),
            )
            .with_columns(
                bounces=pl.col("page_views") == 1,
                product=pl.lit(_product(file)),
                campaign=pl.col("url").str.extract("utm_campaign=([^&]*)").fill_null("(not set)"),
                channel=pl.coalesce(
                    pl.col("url")
                    .str.extract("utm_medium=([^&]*)")
                    .replace_strict(MEDIA, default=None),
                    pl.col("referrer").str.extract(HOST).replace_strict(HOSTS, default=None),
                    pl.lit("direct"),
                ),
            )
        )
        named = views.select("visit", "visitor_id").join(
            visits.select("visit", *SCOPES), on="visit"
        )
        for scope in SCOPES:
            figures = visits.group_by(scope).agg(
                pl.col("page_views", "bounces", "seconds").sum(), pl.len().alias("visits")
            )
            people = named.group_by(scope).agg(visitor.n_unique().alias("unique_visitors"))
            parts.append((figures.join(people, on=scope).rename({scope: "scope_id"}), scope, file))
        entered = visits.group_by("page").agg(pl.col("bounces").sum(), pl.len().alias("visits"))
        pages = views.group_by("page").agg(
            pl.len().alias("page_views"), visitor.n_unique().alias("unique_visitors")
        )
        pages = pages.join(entered, on="page", how="left").rename({"page": "scope_id"})
        parts.append((pages, "page", file))
    pl.concat(
        [
            figures.with_columns(
                scope_kind=pl.lit(scope), product_id=pl.lit(_product(file)), day=pl.lit(_day(file))
            )
            for figures, scope, file in parts
        ],
        how="diagonal_relaxed",
    ).write_csv(out)


def differing(out: Path, warehouse: Path) -> int:
    """Figures of the pipeline that are others here, or missing; raises ValueError when there is
    nothing to compare."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse}' as w (read_only)")
        compared, wrong = connection.execute(
            f"""with theirs as (
                unpivot (select product_id, scope_kind, scope_id, day::date as period_start,
                    page_views::double as page_views, unique_visitors::double as unique_visitors,
                    case when scope_kind <> 'page' then visits::double end as visits,
                    bounces / visits as bounce_rate,
                    seconds / visits as average_visit_duration_seconds
                    from read_csv('{out}', types = {{'seconds': 'DOUBLE'}}))
                on page_views, unique_visitors, visits, bounce_rate, average_visit_duration_seconds
                into name kpi_id value value)
            select count(*), count_if(t.value is null or abs(w.value - t.value) > 1e-6)
            from w.kpis.fct_kpi_values as w
            left join theirs as t using (kpi_id, product_id, scope_kind, scope_id, period_start)
            where w.grain = 'day' and w.product_id <> '(all)'
                and w.scope_kind in {(*SCOPES, "page")} and w.value <> 0
                and w.scope_id <> '(other)' and w.scope_id not like '%/*' and w.kpi_id in
                ('page_views', 'unique_visitors', 'visits', 'bounce_rate',
                    'average_visit_duration_seconds')"""
        ).fetchall()[0]
    if not compared:
        raise ValueError(f"{warehouse} holds no figures to compare with")
    return int(wrong)


def _product(file: Path) -> str:
    return file.parent.parent.name.removeprefix("product=")


def _day(file: Path) -> str:
    return file.parent.name.removeprefix("day=")


WAYS = {"pandas": by_pandas, "polars": by_polars}


def main() -> None:
    name, folder, out = sys.argv[1:]
    WAYS[name](sorted(Path(folder).glob("product=*/day=*/page_views-*.parquet")), Path(out))


if __name__ == "__main__":
    main()
