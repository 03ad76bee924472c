"""A replay of many in words, for a page. Pure but for the addresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bridge.concealing import Concealer
from bridge.foreseeing import Effect
from bridge.ledger import Plan, State, Tally
from bridge.model import Status
from bridge.progress import show_speed
from bridge.stepping import ITSELF
from bridge.web.ops.addresses import search_address

LIKE = {
    State.COUNTING: Status.QUEUED,
    State.PLANNED: Status.WAITING,
    State.RUNNING: Status.RUNNING,
    State.PAUSED: Status.PARKED,
    State.FINISHED: Status.DONE,
    State.CANCELLED: Status.SUPPRESSED,
}
"""Which status has the sign and the colour of a state."""

MEANINGS = {
    State.COUNTING: "it is being found out what it would do",
    State.PLANNED: "it is known what it would do; nothing is replayed until somebody confirms it",
    State.RUNNING: "events are put in, one after the other",
    State.PAUSED: "no more events are put in until somebody resumes it",
    State.FINISHED: "it has come to every event",
    State.CANCELLED: "no more events are put in; what was left stays as it was",
}

_GROUPS: tuple[tuple[str, str, Callable[[Effect], bool]], ...] = (
    ("Put in", "acting", lambda effect: effect.acts),
    ("Passed over", "idle", lambda effect: not effect.acts and effect is not Effect.IMPOSSIBLE),
    ("Could not be replayed", "idle", lambda effect: effect is Effect.IMPOSSIBLE),
)
_CHANGES = {
    (None, State.COUNTING): "planned",
    (State.PLANNED, State.COUNTING): "to be counted again",
    (State.COUNTING, State.PLANNED): "counted",
    (State.PLANNED, State.RUNNING): "begun",
    (State.PAUSED, State.RUNNING): "resumed",
}
"""How a change of state is told, where the new state's name does not."""

_KINDS = {State.FINISHED: "good", State.CANCELLED: "doubtful", State.PAUSED: "doubtful"}
_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"), (timedelta(seconds=1), "s"))


@dataclass(frozen=True, slots=True)
class PlanView:
    """What stands beside the figures. ``written`` is the filter without a number in it."""

    plan: Plan
    title: str
    written: str
    like: str
    meaning: str
    speed: str

    @classmethod
    def of(cls, plan: Plan) -> "PlanView":
        conceal = Concealer()
        return cls(
            plan=plan,
            title=conceal.theirs(plan.name) or "A plan without a name",
            written=conceal.theirs(plan.written),
            like=LIKE[plan.state].value,
            meaning=MEANINGS[plan.state],
            speed=show_speed(plan.speed),
        )

    @property
    def is_live(self) -> bool:
        """Whether figures change by themselves."""
        return self.plan.state in {State.COUNTING, State.RUNNING, State.PAUSED} or (self.plan.state.ended and not self.has_come_to_rest)

    @property
    def has_come_to_rest(self) -> bool:
        """Whether nothing that was put in goes on by itself any more."""
        plan = self.plan
        seen = plan.stood is not None and plan.stood >= plan.changed.at
        return not plan.replayed or (seen and all(status.finished for status, count in plan.standing.items() if count))

    @property
    def standing(self) -> list[tuple[Status, int, str]]:
        """How the events stand that were put in, and where they are found."""
        return [
            (status, self.plan.standing[status], search_address(f"replay:{self.plan.id} status:{status}"))
            for status in Status
            if self.plan.standing.get(status)
        ]

    @property
    def found_by(self) -> str:
        """Every event that was put in."""
        return search_address(f"replay:{self.plan.id}")

    @property
    def failed_now(self) -> int:
        return self.plan.standing.get(Status.FAILED, 0)


def groups_of(tallies: Sequence[Tally]) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """What a plan was counted to do, under the word for what is done with such events, and how that looks."""
    groups = [(head, kind, [(tally.kind, tally.count) for tally in tallies if belongs(Effect(tally.effect))]) for head, kind, belongs in _GROUPS]
    return [group for group in groups if group[2]]


def lasting(span: timedelta | None) -> str:
    """``3 min``, ``2 h 10 min``; the two largest units are enough."""
    if span is None:
        return "–"
    parts: list[str] = []
    for unit, name in _UNITS:
        if span >= unit:
            parts.append(f"{span // unit} {name}")
            span %= unit
    return " ".join(parts[:2]) or "less than 1 s"


def moments_of(plan: Plan) -> list[dict[str, object]]:
    """Its history, the newest first, as the timeline takes it."""
    moments = []
    for before, change in zip((None, *plan.history), plan.history, strict=False):
        word = _CHANGES.get((before.state if before else None, change.state), change.state.value)
        by = f" by {change.by}" if change.by != ITSELF else ""
        moments.append({"at": change.at, "title": f"{word}{by}", "detail": Concealer().theirs(change.note), "kind": _KINDS.get(change.state, "")})
    return moments[::-1]
