"""What the simulated company is like: where its visits come from, its advertising and its users.

Levels are per day at the start of 2023; growth, season and planted facts are laid over them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

EPOCH = date(2023, 1, 1)
"""The day levels are stated for; the company has no data before it."""


@dataclass(frozen=True)
class Origin:
    """One way visitors come in. `share` of the product's visits.

    campaign: also what advertising is booked under; tagged: whether the visit carries utm tags.
    """

    channel: str
    share: float
    source: str = ""
    medium: str = ""
    campaign: str = ""
    referrer: str = ""
    click_id: str = ""
    tagged: bool = True
    new_share: float = 0.55


@dataclass(frozen=True)
class Line:
    """One booking or series of posts. cpm: cost of 1000 impressions, None where nothing is paid."""

    channel: str
    campaign: str
    placement: str
    ctr: float
    cpm: float | None
    weight: float = 1.0


@dataclass(frozen=True)
class Users:
    """sign_up_share: sign-ups per visit by channel. kinds: what users do, with weights."""

    prefix: str
    sign_up_share: dict[str, float]
    lifetime_days: float
    loyalty: float
    kinds: dict[str, float]
    first_kind: str
    order_value: float = 0.0
    currency: str = ""


@dataclass(frozen=True)
class Firm:
    """One product. weekday: factors Monday to Sunday. season: size of the yearly wave and its peak.

    growth: share a day. pages: (path prefix, number of pages) of what can be read.
    """

    product: str
    zone: str
    visits: float
    growth: float
    weekday: tuple[float, ...]
    season: tuple[float, int]
    origins: tuple[Origin, ...]
    lines: tuple[Line, ...] = ()
    users: Users | None = None
    sections: tuple[str, ...] = ()
    content_mix: tuple[float, float, float] = (0.7, 0.2, 0.1)
    countries: dict[str, float] = field(default_factory=dict)
    bounce: float = 0.45

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(origin.channel for origin in self.origins))


_LEISURE = (0.92, 0.9, 0.93, 0.97, 1.02, 1.14, 1.12)
_OFFICE = (1.2, 1.25, 1.24, 1.18, 1.03, 0.55, 0.55)
_PLAY = (0.9, 0.88, 0.92, 0.93, 1.05, 1.2, 1.12)

COSTA = Firm(
    product="costa",
    zone="Europe/Madrid",
    visits=118,
    growth=0.0007,
    weekday=_LEISURE,
    season=(0.12, 195),
    bounce=0.46,
    countries={"ES": 0.7, "MX": 0.12, "AR": 0.08, "FR": 0.06, "DE": 0.04},
    sections=("/guides", "/stories", "/events"),
    origins=(
        Origin("direct", 0.17, new_share=0.25),
        Origin("organic_search", 0.27, referrer="https://www.google.es/"),
        Origin("organic_search", 0.03, referrer="https://www.bing.com/"),
        Origin("organic_search", 0.01, referrer="https://duckduckgo.com/"),
        Origin("social", 0.05, referrer="https://l.instagram.com/"),
        Origin("social", 0.04, referrer="https://www.facebook.com/"),
        Origin("social", 0.02, "instagram", "social", "historias"),
        Origin("paid_search", 0.07, "google", "cpc", "costa_marca", "https://www.google.es/"),
        Origin(
            "paid_search",
            0.03,
            "google",
            "cpc",
            "costa_marca",
            "https://www.google.es/",
            click_id="gclid",
            tagged=False,
        ),
        Origin("paid_social", 0.09, "instagram", "paid_social", "siempre", new_share=0.75),
        Origin("paid_social", 0.02, "facebook", "paid_social", "verano_2024", new_share=0.8),
        Origin("paid_social", 0.02, campaign="siempre", click_id="fbclid", tagged=False),
        Origin("display", 0.04, "prisma", "display", "escapadas", new_share=0.7),
        Origin("email", 0.07, "newsletter", "email", "boletin", new_share=0.1),
        Origin("referral", 0.05, referrer="https://viajes.example.net/costa"),
        Origin("offline", 0.02, "cartel", "qr", "evt-valencia-24"),
    ),
    lines=(
        Line("paid_search", "costa_marca", "busqueda", 0.045, 14.0),
        Line("paid_social", "siempre", "instagram_feed", 0.012, 6.2, 0.6),
        Line("paid_social", "siempre", "facebook_feed", 0.010, 5.1, 0.4),
        Line("paid_social", "verano_2024", "instagram_reels", 0.014, 6.8),
        Line("display", "escapadas", "prisma_portada", 0.0035, 2.4),
        Line("social", "", "instagram_perfil", 0.02, None, 0.6),
        Line("social", "", "facebook_pagina", 0.015, None, 0.4),
    ),
    users=Users(
        prefix="C",
        sign_up_share={"email": 0.01, "direct": 0.05, "organic_search": 0.045, "social": 0.05},
        lifetime_days=150,
        loyalty=0.16,
        kinds={"read": 6, "newsletter_open": 3, "comment": 0.6},
        first_kind="comment",
    ),
)

LEDGERLY = Firm(
    product="ledgerly",
    zone="America/New_York",
    visits=128,
    growth=0.0011,
    weekday=_OFFICE,
    season=(0.10, 60),
    bounce=0.38,
    countries={"US": 0.82, "CA": 0.1, "GB": 0.05, "AU": 0.03},
    sections=("/blog", "/templates", "/help"),
    content_mix=(0.15, 0.3, 0.55),
    origins=(
        Origin("direct", 0.2, new_share=0.3),
        Origin("organic_search", 0.2, referrer="https://www.google.com/"),
        Origin("organic_search", 0.03, referrer="https://www.bing.com/"),
        Origin("organic_search", 0.01, referrer="https://search.yahoo.com/"),
        Origin(
            "paid_search", 0.12, "google", "cpc", "ledgerly_invoices", "https://www.google.com/"
        ),
        Origin("paid_search", 0.04, "bing", "cpc", "ledgerly_invoices", click_id="msclkid"),
        Origin("paid_search", 0.03, campaign="ledgerly_invoices", click_id="gclid", tagged=False),
        Origin("paid_social", 0.08, "linkedin", "paid_social", "founders", new_share=0.75),
        Origin("social", 0.03, referrer="https://www.linkedin.com/"),
        Origin("social", 0.02, referrer="https://www.reddit.com/r/smallbusiness/"),
        Origin("email", 0.12, "newsletter", "email", "tips", new_share=0.08),
        Origin("referral", 0.04, referrer="https://www.bookkeepers.example.net/tools"),
        Origin("referral", 0.03, "partner", "referral", "accountants"),
        Origin("app_store", 0.05, referrer="https://apps.apple.com/"),
    ),
    lines=(
        Line("paid_search", "ledgerly_invoices", "google_search", 0.05, 38.0, 0.75),
        Line("paid_search", "ledgerly_invoices", "bing_search", 0.04, 27.0, 0.25),
        Line("paid_social", "founders", "linkedin_feed", 0.006, 21.0),
        Line("social", "", "linkedin_page", 0.02, None),
        Line("app_store", "(aso)", "apple_listing", 0.03, None),
    ),
    users=Users(
        prefix="L",
        sign_up_share={
            "direct": 0.08,
            "organic_search": 0.1,
            "paid_search": 0.14,
            "paid_social": 0.09,
            "social": 0.06,
            "email": 0.05,
            "referral": 0.2,
            "app_store": 0.3,
        },
        lifetime_days=150,
        loyalty=0.3,
        kinds={
            "login": 5,
            "create_invoice": 3,
            "invite_sent": 0.4,
            "purchase": 0.25,
            "points_earned": 0.5,
            "points_spent": 0.1,
        },
        first_kind="create_invoice",
        order_value=32.0,
        currency="USD",
    ),
)

KUMO = Firm(
    product="kumo",
    zone="Asia/Tokyo",
    visits=86,
    growth=0.0016,
    weekday=_PLAY,
    season=(0.08, 225),
    bounce=0.42,
    countries={"JP": 0.78, "TW": 0.1, "CN": 0.07, "US": 0.05},
    sections=("/worlds", "/community", "/特集"),
    content_mix=(0.85, 0.1, 0.05),
    origins=(
        Origin("direct", 0.16, new_share=0.25),
        Origin("organic_search", 0.13, referrer="https://www.google.co.jp/"),
        Origin("organic_search", 0.05, referrer="https://search.yahoo.co.jp/"),
        Origin("organic_search", 0.02, referrer="https://www.baidu.com/link"),
        Origin("social", 0.11, referrer="https://t.co/"),
        Origin("social", 0.04, referrer="https://weibo.com/"),
        Origin("social", 0.03, referrer="https://liff.line.me/"),
        Origin("paid_social", 0.1, "x", "paid_social", "kumo_start", new_share=0.75),
        Origin("paid_social", 0.04, campaign="kumo_start", click_id="ttclid", tagged=False),
        Origin("paid_search", 0.06, "google", "cpc", "kumo_game", "https://www.google.co.jp/"),
        Origin("app_store", 0.1, referrer="https://play.google.com/"),
        Origin("app_store", 0.07, referrer="https://apps.apple.com/"),
        Origin("email", 0.04, "newsletter", "email", "kumo_news", new_share=0.1),
        Origin("referral", 0.03, referrer="https://games.example.net/kumo"),
        Origin("offline", 0.02, "poster", "qr", "evt-tokyo-24"),
    ),
    lines=(
        Line("paid_social", "kumo_start", "x_timeline", 0.011, 620.0, 0.65),
        Line("paid_social", "kumo_start", "tiktok_feed", 0.013, 540.0, 0.35),
        Line("paid_search", "kumo_game", "google_search", 0.04, 1500.0),
        Line("social", "", "x_profile", 0.018, None),
        Line("app_store", "(aso)", "play_listing", 0.04, None, 0.6),
        Line("app_store", "(aso)", "apple_listing", 0.04, None, 0.4),
    ),
    users=Users(
        prefix="K",
        sign_up_share={
            "direct": 0.1,
            "organic_search": 0.08,
            "social": 0.12,
            "paid_social": 0.12,
            "paid_search": 0.1,
            "app_store": 0.35,
            "offline": 0.2,
            "referral": 0.1,
        },
        lifetime_days=70,
        loyalty=0.38,
        kinds={"play": 7, "build_world": 1.2, "purchase": 0.2, "points_earned": 1},
        first_kind="build_world",
        order_value=900.0,
        currency="JPY",
    ),
)

ATLAS = Firm(
    product="atlas",
    zone="UTC",
    visits=900,
    growth=0.0005,
    weekday=(1.03, 1.05, 1.04, 1.02, 1.0, 0.93, 0.93),
    season=(0.15, 200),
    bounce=0.5,
    origins=(
        Origin("direct", 0.2, "(direct)", "(none)"),
        Origin("organic_search", 0.34, "google", "organic"),
        Origin("organic_search", 0.06, "bing", "organic"),
        Origin("organic_search", 0.03, "baidu", "organic"),
        Origin("referral", 0.12, "travelmaps.example.net", "referral"),
        Origin("social", 0.06, "facebook", "social"),
        Origin("paid_search", 0.1, "google", "cpc", "atlas_maps"),
        Origin("display", 0.05, "openads", "display", "atlas_reach"),
        Origin("email", 0.04, "newsletter", "email", "atlas_monthly"),
    ),
    lines=(
        Line("paid_search", "atlas_maps", "google_search", 0.05, 16.0),
        Line("display", "atlas_reach", "openads_banner", 0.003, 2.0, 0.7),
        Line("display", "atlas_reach", "openads_video", 0.004, 4.5, 0.3),
        Line("social", "", "facebook_page", 0.016, None),
    ),
)

FIRMS = (COSTA, LEDGERLY, KUMO, ATLAS)
