"""``/erase``: forgetting a person."""

from bridge.errors import Unusable
from bridge.ordering import person_refs
from bridge.web.access import operator
from bridge.web.api.models.events import Ordered
from bridge.web.api.models.forms import EraseForm
from bridge.web.api.operations import Operations
from bridge.web.api.places import address
from bridge.wiring import Services


def add(api: Operations, services: Services) -> None:
    """What is done for a person's privacy."""
    api = api.about("privacy", "Forgetting a person.")

    @api.post("/erase", Ordered)
    def erase(body: EraseForm) -> Ordered:
        """Forget a person

        What was received about the person is erased; calls that wait or are planned are stopped first. Webhooks already received stay recognised
        as repeats. The do-not-call list stays as it is, and so does what the platform knows. It cannot be undone.
        """
        refs = _refs(body, services)
        if not services.ledger.sharing(refs, 1):
            raise Unusable("nothing in the ledger is about this person", field="phone" if body.phone else "ref")
        key = services.operating.erase(refs, operator())
        return Ordered(key=key, url=address("events", key), told="the person is being forgotten")


def _refs(body: EraseForm, services: Services) -> list[str]:
    if (body.phone is None) is (body.ref is None):
        raise Unusable("say who, by `phone` or by `ref`", field="phone")
    if body.source and body.source not in services.sources:
        raise Unusable(f"there is no source of this name; there are {', '.join(services.sources) or 'none'}", field="source")
    field = "phone" if body.phone else "ref"
    refs = person_refs(body.phone or body.ref or "", [body.source] if body.source else list(services.sources))
    if not refs or refs[0].startswith("phone:") is not bool(body.phone):
        raise Unusable("this is neither a phone number with its country code nor a record such as contact:101", field=field)
    return refs
