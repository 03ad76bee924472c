"""What can be done about an event, and what each would do, said before anything is pressed. Pure but for the addresses of links."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bridge.foreseeing import Foreseen
from bridge.model import OPERATOR, Status
from bridge.timeline import Timeline
from bridge.web.ops.comparing import ENDS


class Deed(StrEnum):
    """What an operator can do about one event, as the address has it."""

    REPLAY = "replay"
    REQUEST = "request"
    AGAIN = "again"
    CANCEL = "cancel"
    DO_NOT_CALL = "do-not-call"
    FORGET = "forget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """``why_not`` is empty where it can be done."""

    deed: Deed
    label: str
    does: str
    why_not: str = ""
    danger: bool = False


def offers(timeline: Timeline, foreseen: Foreseen) -> list[Offer]:
    """Everything that can be done, and what cannot, with the reason. ``foreseen`` is what a replay would do now."""
    whatever = (_replay(timeline, foreseen), *(make(timeline) for make in _OTHERS))
    return [offer for offer in whatever if offer]


def why_no_replay(timeline: Timeline, foreseen: Foreseen) -> str:
    """Empty where a replay is good for something."""
    if timeline.entry.event.source == OPERATOR:
        return "an operator ordered it: order it again instead"
    if foreseen.effect in ENDS:
        return f"it would come to no call today either: {foreseen.told}"
    return "" if foreseen.effect.acts else foreseen.told


def _replay(timeline: Timeline, foreseen: Foreseen) -> Offer:
    return Offer(
        deed=Deed.REPLAY,
        label="Replay with today’s rules",
        does=f"Decided again from what was received, under its own key. It {foreseen.told}." if foreseen.effect.acts else "",
        why_not=why_no_replay(timeline, foreseen),
    )


def _request(timeline: Timeline) -> Offer | None:
    entry = timeline.entry
    if entry.request is None or not entry.status.finished or entry.status is Status.DONE:
        return None
    return Offer(
        deed=Deed.REQUEST, label="Send the same request again", does="Byte for byte what was sent before, where today’s rules still allow it."
    )


def _again(timeline: Timeline) -> Offer | None:
    entry = timeline.entry
    if entry.event.source == OPERATOR or not (timeline.calls and entry.status.finished):
        return None
    does = "Another call, under a new key: the person may be called twice. Needs a reason, which is written down."
    return Offer(deed=Deed.AGAIN, label="Call again", does=does, danger=True)


def _cancel(timeline: Timeline) -> Offer | None:
    entry = timeline.entry
    if entry.event.source == OPERATOR or not timeline.refs:
        return None
    of = f"{entry.event.entity.type} {entry.event.entity.id}" if entry.event.entity else "this person"
    return Offer(deed=Deed.CANCEL, label="Cancel calls", does=f"Stops the calls of {of}: those that wait here and those planned at the platform.")


def _do_not_call(timeline: Timeline) -> Offer | None:
    if not timeline.phones:
        return None
    return Offer(deed=Deed.DO_NOT_CALL, label="Do not call", does="Puts the number on the do-not-call list, and stops its calls.")


def _forget(timeline: Timeline) -> Offer | None:
    if not timeline.refs or timeline.entry.event.source == OPERATOR:
        return None
    does = "Stops the person’s calls and takes out everything that was received about that person. There is no way back."
    return Offer(deed=Deed.FORGET, label="Forget this person", does=does, danger=True)


_OTHERS: tuple[Callable[[Timeline], Offer | None], ...] = (_request, _again, _cancel, _do_not_call, _forget)
