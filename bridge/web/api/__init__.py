"""``/api/v1``: JSON for operators and their machines. A bearer token opens it; the cookie of /ops never does.

An operation is a function with a docstring, models for what it takes and what it answers, and no logic: :mod:`bridge.web.api.operations`
adds it, and describes it in ``/api/v1/openapi.json``. New ones go into a function of a module here, named in :data:`OPERATIONS`.

The document is guarded like all the rest: there is no secret in it, but one rule for everything under the path needs no second thought,
and strangers are not told which version runs here.
"""

from collections.abc import Callable
from functools import cache

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

from bridge import __version__
from bridge.errors import Unusable
from bridge.ledger import Answers
from bridge.web.access import Access
from bridge.web.api import asks, campaigns, condition, events, issues, people, replays, sources, switches, unwanted
from bridge.web.api.bearer import bearer
from bridge.web.api.keys import as_sent
from bridge.web.api.models.problems import Problem
from bridge.web.api.models.things import Document
from bridge.web.api.once import Once
from bridge.web.api.operations import SECURITY, Operations
from bridge.web.api.places import ROOT
from bridge.web.api.reading import check
from bridge.web.api.refusing import invalid, unusable_problem
from bridge.wiring import Services

OPERATIONS: tuple[Callable[[Operations, Services], None], ...] = (
    condition.add,
    events.add,
    replays.add,
    issues.add,
    switches.add,
    campaigns.add,
    asks.add,
    unwanted.add,
    sources.add,
    people.add,
)
"""What adds operations; the document lists them in this order."""

_ABOUT = (
    "Everything that operators do, for their machines. Phone numbers are masked unless they are asked for on purpose (`reveal=true`), which is "
    'written into the history. Whatever is refused is `{"error": {"code", "message", "field"}}`. Lists are paged by opaque cursors: `next` of a '
    "page is `after` of the following one. A POST may be repeated under an `Idempotency-Key`. A field that has no value is left out."
)


def application(name: str) -> OpenAPI:
    """A Flask application that can take the blueprint. It has no pages and no routes but those that are added."""
    return OpenAPI(
        name,
        info=Info(title="callbridge", version=__version__, description=_ABOUT),
        security_schemes={SECURITY: {"type": "http", "scheme": "bearer", "description": "An operator's token, or the shared one."}},
        validation_error_model=Problem,
        validation_error_callback=invalid,
        doc_ui=False,
        static_folder=None,
    )


def api(services: Services) -> APIBlueprint:
    """The blueprint of everything under ``/api/v1``.

    It is described when somebody asks for that: it would make every start of the web a fifth of a second longer.
    """
    blueprint = _blueprint(services, cache(lambda: _described(services)), doc_ui=False)
    for step in (bearer(Access(services.operators, services.throttle)), as_sent, check):
        blueprint.before_request(step)
    blueprint.register_error_handler(Unusable, unusable_problem)
    return blueprint


def _described(services: Services) -> Document:
    """By another application, which answers nobody."""
    app = application("description")
    app.register_api(_blueprint(services, Document, doc_ui=True))
    return Document.model_validate(app.api_doc)


def _blueprint(services: Services, description: Callable[[], Document], *, doc_ui: bool) -> APIBlueprint:
    blueprint = APIBlueprint("api", __name__, url_prefix=ROOT, abp_security=[{SECURITY: []}], doc_ui=doc_ui)
    operations = Operations(blueprint, Once(Answers(services.redis), services.clock))
    for add in OPERATIONS:
        add(operations, services)

    @operations.about("bridge", condition.ABOUT).get("/openapi.json", Document)
    def openapi() -> Document:
        """This description

        OpenAPI 3.1, made from the code that answers.
        """
        return description()

    return blueprint
