"""``/switches``: what is paused."""

from bridge.web.access import operator
from bridge.web.api import telling
from bridge.web.api.models import acts as told
from bridge.web.api.models.forms import NoteForm, Scope
from bridge.web.api.operations import Operations
from bridge.wiring import Services


def add(api: Operations, services: Services) -> None:
    """The switches of all calling, a campaign, a source."""
    api = api.about(
        "switches", "Pausing holds calls back here: what is paused is accepted, and decided again when that ends. Stopping calls is never paused."
    )

    @api.get("/switches", told.PauseList)
    def list_pauses() -> told.PauseList:
        """What is paused

        By whom, since when and why.
        """
        return told.PauseList(items=[telling.pause(paused) for paused in services.switches.all().values()])

    @api.put("/switches/<scope>", told.Pause)
    def pause(path: Scope, body: NoteForm) -> told.Pause:
        """Pause all calling, a campaign or a source

        From now on no call of the scope begins; one that is being sent is finished.
        """
        services.operating.pause(path.scope, operator(), body.note)
        return telling.pause(services.switches.all()[path.scope])

    @api.delete("/switches/<scope>", told.Resumed)
    def resume(path: Scope) -> told.Resumed:
        """Let it go on

        Everything that was parked is decided again at once; what is paused still is parked again.
        """
        return told.Resumed(scope=path.scope, was_paused=services.operating.resume(path.scope, operator()))
