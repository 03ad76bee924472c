"""What each deed about an event is: what is shown before it, and the doing of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask import request

from bridge.errors import Unusable
from bridge.foreseeing import Foreseen
from bridge.ledger import Unwanted
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.model import Entry
from bridge.phones import mask
from bridge.replaying import Mode, new_order
from bridge.timeline import Timeline
from bridge.web.ops import portrait
from bridge.web.ops.comparing import compared, differences, seal
from bridge.web.ops.offers import Deed, why_no_replay
from bridge.web.ops.rows import Row, row
from bridge.wiring import Services

LONGEST_NOTE = 500

_NO_KEY_YET = "~again-00000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it: where to go on, and what to say there."""

    key: str
    told: str
    good: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is shown before. ``why_not`` is empty where it can be done; ``more`` is what the template of this deed alone shows."""

    title: str
    label: str
    why_not: str = ""
    danger: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doing:
    """``see`` is asked again before it is done. ``do`` raises ``Unusable`` for a form that is not filled in as it must be."""

    see: Callable[[Services, Timeline], View]
    do: Callable[[Services, Timeline, str], Done]


def _see_replay(services: Services, timeline: Timeline, mode: Mode = Mode.RULES) -> View:
    foreseen = services.operating.replaying.foresee(timeline.entry, mode)
    titles = {
        Mode.RULES: ("Replay with today’s rules", "Replay"),
        Mode.REQUEST: ("Send the same request again", "Send it again"),
        Mode.AGAIN: ("Call again", "Call again"),
    }
    title, label = titles[mode]
    why_not = why_no_replay(timeline, foreseen)
    return View(title=title, label=label, why_not=why_not, danger=mode is Mode.AGAIN, more=_foreseen(services, timeline, foreseen))


def _foreseen(services: Services, timeline: Timeline, foreseen: Foreseen) -> dict[str, Any]:
    entry, conceal = timeline.entry, portrait.concealer(timeline)
    base_url = services.explainer.base_url
    return {
        "foreseen": {
            "told": conceal.ours(foreseen.told),
            "acts": foreseen.effect.acts,
            "trace": [conceal.ours(line) for line in foreseen.trace],
            "reads": foreseen.event is not None,
        },
        "rows": compared(entry, foreseen, conceal) if foreseen.event or foreseen.effect.acts else [],
        "fields": differences(entry.event, foreseen.event, conceal),
        "before": portrait.sent(entry.request, base_url, conceal),
        "after": _under_a_new_key(portrait.sent(foreseen.request, base_url, conceal)),
        "seal": seal(foreseen),
        "order": new_order(),  # stands in the form: pressed twice, it is one call
    }


def _under_a_new_key(sent: portrait.Sent | None) -> portrait.Sent | None:
    """A call that is ordered again gets its key when it is ordered."""
    return replace(sent, head=sent.head.replace(_NO_KEY_YET, "~again-…"), key=sent.key.replace(_NO_KEY_YET, "~again-…")) if sent else None


def _replay(services: Services, timeline: Timeline, by: str, mode: Mode) -> Done:
    entry, operating = timeline.entry, services.operating
    if request.form.get("seal") != seal(operating.replaying.foresee(entry, mode)):
        raise Unusable("it would come to something else now than when this was shown: nothing was done; look at it again")
    done = operating.replay(entry, mode, by, _note("reason"), request.form.get("order", ""))
    words = {Mode.RULES: "Replayed", Mode.REQUEST: "Replayed with the same request", Mode.AGAIN: "Ordered"}
    return Done(key=done.key, told=f"{words[mode]}: {done.told}." if done.good else f"Not replayed: {done.told}.", good=done.good)


def _see_cancel(services: Services, timeline: Timeline) -> View:
    del services
    conceal = portrait.concealer(timeline)
    more = {"rows": [row(entry, conceal) for entry in _of_the_record(timeline)], "subject": _subject(timeline)}
    return View(title="Cancel calls", label="Cancel these calls", why_not=_why_not_about_people(timeline), more=more)


def _cancel(services: Services, timeline: Timeline, by: str) -> Done:
    key = services.operating.cancel(timeline.entry, by, _note("note"))
    return Done(key=timeline.entry.key, told=f"Ordered: the calls of {_subject(timeline)} are being stopped. What comes of it is told by {key}.")


def _of_the_record(timeline: Timeline) -> list[Entry]:
    """The events with a call that is made or still to come, of those that an order for this record reaches."""
    own = timeline.entry.event.entity
    same = [entry for entry in timeline.seen if own is None or entry.event.entity == own or own.ref in entry.event.refs]
    return [entry for entry in same if entry.jobs or not entry.status.finished]


def _subject(timeline: Timeline) -> str:
    own = timeline.entry.event.entity
    return f"{own.type} {own.id}" if own else "this person"


def _see_do_not_call(services: Services, timeline: Timeline) -> View:
    phones = [mask(phone) for phone in timeline.phones]
    why_not = "" if phones else "no number of this person is known"
    listed: list[Row] = []
    more = {"phones": phones, "campaigns": list(services.config.campaigns), "rows": listed, "everywhere": EVERY_CAMPAIGN}
    return View(title="Do not call", label="Put on the list", why_not=why_not, more=more)


def _do_not_call(services: Services, timeline: Timeline, by: str) -> Done:
    campaign, place = request.form.get("campaign", EVERY_CAMPAIGN), request.form.get("phone", "0")
    if campaign not in {EVERY_CAMPAIGN, *services.config.campaigns}:
        raise Unusable(f"there is no campaign called '{campaign}'", field="campaign")
    if not place.isdecimal() or int(place) >= len(timeline.phones):
        raise Unusable("choose one of the numbers", field="phone")
    phone = timeline.phones[int(place)]
    entry = Unwanted(phone=phone, campaign=campaign, note=_note("note"), source=by, added=services.clock())
    stopped = services.operating.add_unwanted([entry], by)
    where = "in any campaign" if campaign == EVERY_CAMPAIGN else f"in campaign {campaign}"
    also = "; its calls are being stopped" if stopped else ""
    return Done(key=timeline.entry.key, told=f"{mask(phone)} is on the do-not-call list: nobody calls it {where} from now on{also}.")


def _see_forget(services: Services, timeline: Timeline) -> View:
    del services
    conceal = portrait.concealer(timeline)
    more = {"rows": [row(entry, conceal) for entry in timeline.seen], "further": timeline.others.next is not None}
    return View(title="Forget this person", label="Forget", why_not=_why_not_about_people(timeline), danger=True, more=more)


def _forget(services: Services, timeline: Timeline, by: str) -> Done:
    if request.form.get("sure") != "yes":
        raise Unusable("say that you are sure: what is taken out cannot be brought back", field="sure")
    key = services.operating.erase(timeline.refs, by)
    return Done(key=key, told="Ordered: calls are stopped, then everything about this person is taken out.")


def _why_not_about_people(timeline: Timeline) -> str:
    return "" if timeline.refs else "nothing ties this event to a person or a call"


def _note(name: str) -> str:
    note = " ".join(request.form.get(name, "").split())
    if len(note) > LONGEST_NOTE:
        raise Unusable(f"at most {LONGEST_NOTE} characters", field=name)
    return note


DOINGS: Mapping[Deed, Doing] = {
    Deed.REPLAY: Doing(_see_replay, lambda services, timeline, by: _replay(services, timeline, by, Mode.RULES)),
    Deed.REQUEST: Doing(
        lambda services, timeline: _see_replay(services, timeline, Mode.REQUEST),
        lambda services, timeline, by: _replay(services, timeline, by, Mode.REQUEST),
    ),
    Deed.AGAIN: Doing(
        lambda services, timeline: _see_replay(services, timeline, Mode.AGAIN),
        lambda services, timeline, by: _replay(services, timeline, by, Mode.AGAIN),
    ),
    Deed.CANCEL: Doing(_see_cancel, _cancel),
    Deed.DO_NOT_CALL: Doing(_see_do_not_call, _do_not_call),
    Deed.FORGET: Doing(_see_forget, _forget),
}
