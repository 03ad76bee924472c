"""What is around every page: the head with its links, banners, the foot; and what templates may use."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, g, request

from bridge import __version__
from bridge.concealing import Concealer
from bridge.durability import Durability
from bridge.model import Status
from bridge.phones import mask
from bridge.web.ops import charts
from bridge.web.ops.assets import address
from bridge.web.ops.banners import BANNERS, Banner
from bridge.web.ops.cookies import THEME
from bridge.web.ops.words import MEANINGS, exactly, figure, lasting, rate, relatively
from bridge.wiring import Services


@dataclass(frozen=True, slots=True)
class Link:
    """One word in the head of every page; current on all endpoints that begin with ``endpoint``."""

    label: str
    endpoint: str


LINKS: tuple[Link, ...] = (
    Link("Dashboard", "ops.start"),
    Link("Events", "ops.events"),
    Link("Issues", "ops.issues"),
    Link("Replays", "ops.replays"),
    Link("Sources", "ops.sources"),
    Link("Campaigns", "ops.campaigns"),
    Link("Switches", "ops.switches"),
    Link("Do not call", "ops.unwanted"),
    Link("History", "ops.history"),
)

_FOOT_LIVES = timedelta(seconds=30)


class Frame:
    """Gives the templates what every page shows."""

    def __init__(self, services: Services, durability: Callable[[], Durability]) -> None:
        self._services = services
        self._durability = durability
        self._level: tuple[datetime, str] | None = None

    def furnish(self, blueprint: Blueprint) -> None:
        blueprint.app_context_processor(self._context)
        blueprint.add_app_template_filter(lambda moment: relatively(moment, self._services.clock()), "relatively")
        blueprint.add_app_template_filter(exactly, "exactly")
        blueprint.add_app_template_filter(figure, "figure")
        blueprint.add_app_template_filter(mask, "masked")
        blueprint.add_app_template_filter(lambda status: MEANINGS[Status(status)], "meaning")
        blueprint.add_app_template_filter(lasting, "lasting")
        blueprint.add_app_template_filter(rate, "rate")
        blueprint.add_app_template_filter(Concealer().ours, "concealed")  # the bridge's own sentences
        blueprint.add_app_template_filter(Concealer().theirs, "noted")  # what somebody wrote
        blueprint.add_app_template_global(charts.bars, "bars")
        blueprint.add_app_template_global(charts.line, "line")

    def _context(self) -> dict[str, Any]:
        theme = request.cookies.get(THEME, "")
        return {
            "operator": g.get("operator"),
            "links": LINKS,
            "banners": self._banners,
            "mode": self._services.config.mode.value,
            "version": __version__,
            "durability": self._shown_durability,
            "theme": theme if theme in {"light", "dark"} else "",
            "asset": address,
            "statuses": [status.value for status in Status],
            "now": self._services.clock(),
            "bare": False,
        }

    def _banners(self) -> list[Banner]:
        return [banner for asked in BANNERS if (banner := asked(self._services))]

    def _shown_durability(self) -> str:
        """What Redis promises; asked for again after a while, not for every page."""
        now = self._services.clock()
        if self._level is None or not timedelta(0) <= now - self._level[0] < _FOOT_LIVES:
            self._level = (now, self._durability().level.value)
        return self._level[1]
