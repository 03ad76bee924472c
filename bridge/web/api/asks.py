"""``/asks``: what the platform is asked. A worker does it: the web cannot call out."""

from collections.abc import Mapping
from typing import Any

from bridge.concealing import Concealer
from bridge.errors import Unusable
from bridge.phones import to_e164
from bridge.web.access import operator
from bridge.web.api.models import things as told
from bridge.web.api.models.acts import Asked
from bridge.web.api.models.forms import AskForm, AskName, Shown
from bridge.web.api.operations import Operations
from bridge.web.api.places import address
from bridge.web.api.refusing import missing
from bridge.web.api.veil import Veil
from bridge.wiring import Services

_REPORTS = frozenset({"job_report", "attempt_report"})


def add(api: Operations, services: Services) -> None:
    """Questions, and their answers."""
    api = api.about("platform", "What the platform is asked: a worker asks there, and keeps the answer for ten minutes.")

    @api.post("/asks", Asked)
    def ask(body: AskForm) -> Asked:
        """Ask the platform

        It changes nothing there. A worker asks, within a second or two where one is running; `url` is where the answer will be.
        """
        return asked(services.operating.ask(body.what, body.campaign, operator(), **_about(body)))

    @api.get("/asks/<id>", told.Answer)
    def answer(path: AskName, query: Shown) -> told.Answer:
        """The platform's answer

        Kept for ten minutes. While `answered` is false, ask again in a second.
        """
        if not services.asks.known(path.id):
            missing("nothing of this id was asked within the last ten minutes")
        found = services.asks.answer(path.id)
        if found is None:
            return told.Answer(id=path.id, answered=False)
        if query.reveal:
            services.operating.look_at("an answer of the platform", (), operator())
        veil = Veil(Concealer.of((), ids=_ids(found["data"]), off=query.reveal))
        return told.Answer(id=path.id, answered=True, good=found["good"], told=veil.ours(found["told"]), data=veil.document(found["data"]))


def asked(ask_id: str) -> Asked:
    """Where the answer will be."""
    return Asked(id=ask_id, url=address("asks", ask_id))


def _ids(data: Any) -> list[str]:
    """Of call jobs: they are long numbers, and nobody's."""
    rows = [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []
    return [str(row[name]) for row in rows for name in ("id", "job_id") if name in row]


def _about(body: AskForm) -> dict[str, list[str]]:
    """What a report is about."""
    ids, phones = body.ids or [], [_number(phone) for phone in body.phones or []]
    if body.what in _REPORTS and not (ids or phones):
        raise Unusable("say which call jobs (`ids`) or whose (`phones`) the report is about", field="ids")
    if body.what not in _REPORTS and (ids or phones):
        raise Unusable(f"`{body.what}` is about the campaign alone: leave out `ids` and `phones`", field="ids" if ids else "phones")
    return {name: values for name, values in (("ids", ids), ("phones", phones)) if values}


def _number(written: str) -> str:
    phone = to_e164(written)
    if phone is None:
        raise Unusable("this is no phone number: write it with + and the country code", field="phones")
    return phone
