"""``/replays``: replays of many, from the filter to the summary."""

from collections.abc import Callable, Mapping
from functools import partial

from bridge.errors import Unusable
from bridge.filters import parse
from bridge.ledger import Plan
from bridge.planning import Planning
from bridge.web.access import operator
from bridge.web.api.models import replays as told
from bridge.web.api.operations import Operations
from bridge.web.api.places import address, opaque, place
from bridge.web.api.refusing import missing, refuse
from bridge.web.api.veil import BARE
from bridge.wiring import Services

_TURNS: Mapping[str, Callable[[Planning, str, str], Plan]] = {
    "pause": Planning.pause,
    "resume": Planning.resume,
    "cancel": Planning.cancel,
    "recount": Planning.count_again,
}


def add(api: Operations, services: Services) -> None:
    """Planned, confirmed, watched."""
    api = api.about("replays", "Replays of many: a filter is frozen and counted by what would come of each event; then it is confirmed, and runs.")
    planning = services.planning

    @api.get("/replays", told.ReplayPage)
    def list_replays(query: told.ReplayListQuery) -> told.ReplayPage:
        """Replays of many

        Planned, running and ended ones, the newest first.
        """
        read = partial(planning.plans.all, query.limit + 1)
        behind = place(query.after, read)
        plans = read() if behind is None else behind
        more = plans[query.limit - 1].id if len(plans) > query.limit else None
        return told.ReplayPage(items=[_summary(plan) for plan in plans[: query.limit]], next=opaque(more))

    @api.post("/replays", told.Replay)
    def plan_replay(body: told.PlanForm) -> told.Replay:
        """Plan a replay of many

        Its events are chosen once, and a worker counts what would come of each. Nothing is replayed yet: look at `url` until it is `planned`, then
        confirm it by `run`.
        """
        return _whole(planning, _planned(body, services).id)

    @api.get("/replays/<id>", told.Replay)
    def replay(path: told.ReplayName) -> told.Replay:
        """One replay of many

        What it would do once it is counted, how far it is, and how its events stand.
        """
        return _whole(planning, _known(planning, path.id))

    @api.post("/replays/<id>/run", told.Replay)
    def run_replay(path: told.ReplayName, body: told.RunForm) -> told.Replay:
        """Confirm it

        It begins, at this speed; live events go first. One that was counted more than ten minutes ago, or by other rules, is counted again instead
        (`state` is `counting`): look at the new numbers, and confirm those.
        """
        return _turned(planning, path.id, lambda plan_id: planning.run(plan_id, body.name, body.speed, operator()))

    @api.post("/replays/<id>/<turn>", told.Replay)
    def turn_replay(path: told.ReplayTurn, body: told.NothingForm) -> told.Replay:
        """Pause, resume or cancel it, or count it again

        What was put in goes on in any case; what is left stays as it was. `recount` is for one that has not begun.
        """
        del body
        return _turned(planning, path.id, lambda plan_id: _TURNS[path.turn](planning, plan_id, operator()))


def _planned(body: told.PlanForm, services: Services) -> Plan:
    planning = services.planning
    if (body.q is None) is (body.failed_in is None):
        raise Unusable("say which events are meant, by `q` or by `failed_in`", field="q")
    if body.failed_in is not None and planning.plans.one(body.failed_in) is None:
        raise Unusable("there is no such replay, or not any more: it is past its retention", field="failed_in")
    if body.failed_in is not None:
        return planning.of_failed(body.failed_in, operator())
    return planning.plan(parse(body.q or "", services.clock()), operator(), body.mode, body.name)


def _known(planning: Planning, plan_id: str) -> str:
    return plan_id if planning.plans.one(plan_id) else missing("there is no such replay, or not any more: it is past its retention")


def _turned(planning: Planning, plan_id: str, turn: Callable[[str], Plan]) -> told.Replay:
    """Where its state forbids it, that is told as such."""
    try:
        turn(_known(planning, plan_id))
    except Unusable as unusable:
        if unusable.field != "state":
            raise
        refuse(409, "cannot_be_done_now", unusable.message)
    return _whole(planning, plan_id)


def _whole(planning: Planning, plan_id: str) -> told.Replay:
    found_by = f"{address('events')}?replay={plan_id}"
    return told.Replay.model_validate({**planning.progress(plan_id).document(), "url": address("replays", plan_id), "found_by": found_by})


def _summary(plan: Plan) -> told.ReplaySummary:
    return told.ReplaySummary.model_validate(
        {
            "id": plan.id,
            "url": address("replays", plan.id),
            "state": plan.state.value,
            "name": BARE.theirs(plan.name),
            "mode": plan.mode,
            "written": BARE.theirs(plan.written),
            "by": plan.by,
            "created": plan.created,
            "events": plan.total,
            "replayed": plan.replayed,
            "skipped": plan.skipped,
            "failed": plan.failed,
            "left": plan.left,
        }
    )
