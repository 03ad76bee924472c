"""``/campaigns``: as the bridge knows them, and what is done to them at the platform."""

from collections import Counter
from collections.abc import Mapping

from bridge.ledger import Pause
from bridge.ledger.switches import EVERYTHING
from bridge.web.access import operator
from bridge.web.api import telling
from bridge.web.api.asks import asked
from bridge.web.api.models import things as told
from bridge.web.api.models.acts import Asked
from bridge.web.api.models.acts import Pause as ToldPause
from bridge.web.api.models.forms import CampaignControl, CampaignName, NoteForm
from bridge.web.api.operations import Operations
from bridge.web.api.places import address
from bridge.web.api.refusing import missing
from bridge.wiring import Services


def add(api: Operations, services: Services) -> None:
    """Campaigns."""
    api = api.about(
        "campaigns", "Campaigns as the bridge knows them, and at the platform: a worker asks there, and keeps the answer for ten minutes."
    )
    known = services.config.campaigns

    @api.get("/campaigns", told.CampaignList)
    def list_campaigns() -> told.CampaignList:
        """The configured campaigns

        As the bridge knows them; the platform is not asked.
        """
        seen = _Seen(services)
        return told.CampaignList(items=[seen.told(name) for name in known])

    @api.get("/campaigns/<name>", told.Campaign)
    def campaign(path: CampaignName) -> told.Campaign:
        """One campaign

        Its state at the platform is asked for by `POST /asks` with `info` or `status`.
        """
        return _Seen(services).told(path.name if path.name in known else missing("there is no campaign of this name"))

    @api.post("/campaigns/<name>/<action>", Asked)
    def control_campaign(path: CampaignControl, body: NoteForm) -> Asked:
        """Pause, resume or stop a campaign at the platform

        There is no way back from `stop`. A worker does it; `url` is where it says what came of it.
        """
        if path.name not in known:
            missing("there is no campaign of this name")
        return asked(services.operating.control(path.action, path.name, operator(), body.note))


class _Seen:
    """What is known of campaigns at one moment."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._paused = services.switches.all()
        self._totals = services.totals.now(services.clock()).totals
        self._alone = services.ledger.left_alone(tuple(services.config.campaigns))

    def told(self, name: str) -> told.Campaign:
        rate = self._services.config.campaigns[name].rate_limit
        return told.Campaign(
            name=name,
            url=address("campaigns", name),
            paused=paused(self._paused, f"campaign:{name}"),
            left_alone_since=self._alone.get(name),
            per_second=rate.count / rate.seconds if rate else None,
            events=self._services.search.count(f"campaign:{name}"),
            finished=self._finished(name),
        )

    def _finished(self, name: str) -> dict[str, int]:
        counted: Counter[str] = Counter()
        for total, count in self._totals.items():
            what, *labels = total.split("|")
            if what == "finished" and labels[1:2] == [name]:
                counted[labels[-1]] += count
        return dict(counted)


def paused(pauses: Mapping[str, Pause], scope: str) -> ToldPause | None:
    """Who paused this, or everything."""
    found = pauses.get(scope) or pauses.get(EVERYTHING)
    return telling.pause(found) if found else None
