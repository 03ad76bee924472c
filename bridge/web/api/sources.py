"""``/sources``: who may deliver, and what was refused."""

from typing import Any

from bridge.ledger import RefusedRequest
from bridge.readmitting import Readmitted, Readmitting
from bridge.web.access import operator
from bridge.web.api.campaigns import paused
from bridge.web.api.events import delivered
from bridge.web.api.models import things as told
from bridge.web.api.models.forms import ReadmitForm, SourceName
from bridge.web.api.operations import Operations
from bridge.web.api.places import address
from bridge.web.api.refusing import missing
from bridge.web.api.veil import veil_of_nobody
from bridge.wiring import Services

_MOST_SHOWN = 16 * 1024
"""Characters of a refused body: there are many in one answer, and strangers choose how large they are."""


def add(api: Operations, services: Services) -> None:
    """The configured sources."""
    api = api.about("sources", "Who may deliver, when something came last, and what was refused.")

    @api.get("/sources", told.SourceList)
    def list_sources() -> told.SourceList:
        """The configured sources

        With when something authentic came last, and how many requests were refused.
        """
        seen = _Seen(services)
        return told.SourceList(items=[told.Source(**seen.told(name)) for name in services.sources])

    @api.get("/sources/<name>", told.SourceWhole)
    def source(path: SourceName) -> told.SourceWhole:
        """One source, and what it was refused

        The last refused requests are kept so that a wrong secret can be seen. Secrets in them were removed, numbers are masked.
        """
        if path.name not in services.sources:
            missing("there is no source of this name")
        readmitting = Readmitting(services.ingest, services.refusals)
        refused = [_refused(request, readmitting.foresee(request)) for request in services.refusals.of(path.name)]
        return told.SourceWhole(**_Seen(services).told(path.name), refused_requests=refused)

    @api.post("/sources/<name>/readmit", told.ReadmittedList, 200)
    def readmit(path: SourceName, body: ReadmitForm) -> told.ReadmittedList:
        """Take in what was refused

        Once the secret is mended: each request is verified again with today's secrets, as of when it came, and taken in where it is genuine.
        Without `ids`: all that are kept, in the order they came.
        """
        if path.name not in services.sources:
            missing("there is no source of this name")
        readmitting = Readmitting(services.ingest, services.refusals)
        asked = [request for request in reversed(services.refusals.of(path.name)) if body.ids is None or request.id in body.ids]
        if body.ids and len(asked) < len(set(body.ids)):
            missing("a request of these ids is not kept, or not any more")
        return told.ReadmittedList(items=[_readmitted(services.operating.readmit(readmitting, each, operator())) for each in asked])


class _Seen:
    """What is known of sources at one moment."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._heard = services.totals.heard()
        self._refused = services.totals.refused(tuple(services.sources))
        self._paused = services.switches.all()
        self._totals = services.totals.now(services.clock()).totals

    def told(self, name: str) -> dict[str, Any]:
        adapter, server = self._services.sources[name], self._services.config.server
        return {
            "name": name,
            "url": address("sources", name),
            "kind": adapter.kind,
            "title": adapter.title,
            "webhook": f"{server.public_url or f'http://{server.bind}'}/webhooks/{name}",
            "last_delivery": self._heard.get(name),
            "accepted": self._totals.get(f"accepted|{name}", 0),
            "duplicates": self._totals.get(f"duplicates|{name}", 0),
            "refused": self._refused[name],
            "paused": paused(self._paused, f"source:{name}"),
        }


def _refused(request: RefusedRequest, objection: Readmitted | None) -> told.Refused:
    veil = veil_of_nobody()
    return told.Refused(
        **delivered(request.record, veil, _MOST_SHOWN),
        whole=len(request.record["body"]) <= _MOST_SHOWN,
        id=request.id,
        refusal=request.refusal,
        message=veil.ours(request.message),
        objection=veil.ours(objection.told) if objection else None,
    )


def _readmitted(done: Readmitted) -> told.Readmitted:
    keys = [receipt.key for receipt in done.receipts]
    return told.Readmitted(id=done.request.id, verdict=done.verdict, told=veil_of_nobody().ours(done.told), keys=keys)
