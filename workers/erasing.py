"""Forgetting a person: every call is stopped, then what the ledger holds about them is taken out."""

from collections.abc import Sequence

from bridge.ledger import layout
from bridge.model import CancelCommand, Entry, Status
from workers.cancelling import cancel
from workers.case import Case
from workers.effects import Flow, Outside
from workers.policy import Ending


def forget(case: Case) -> Flow:
    """In this order, because nobody could stop a call that nobody knows of any more."""
    stops = case.outlook.cancel if case.outlook else None
    about: list[Entry] = yield Outside(lambda: _about(case))
    case.event = case.event.knowing(refs=[f"phone:{phone}" for phone in _numbers(case, about)])
    done = yield from cancel(case, stops or CancelCommand())
    if done.ended or done.record is None:
        return done.record
    about = yield Outside(lambda: _about(case))
    phones = [ref.removeprefix("phone:") for ref in case.event.refs if ref.startswith("phone:")]
    yield Outside(lambda: case.world.ledger.erase(case.entry.key, about, phones, case.now()))
    case.event = case.event.forgotten()
    others = len([entry for entry in about if entry.key != case.entry.key])
    return case.end(Ending(status=Status.DONE, reason=f"erased what was known of this person, in {others} other events; {done.record.reason}"))


def _about(case: Case) -> list[Entry]:
    return case.world.ledger.sharing(layout.qualify(case.event.source, case.event.refs))


def _numbers(case: Case, about: Sequence[Entry]) -> list[str]:
    """The person's own numbers: where the person is named, those of others who share a deal with them are not theirs."""
    named = {ref.rpartition("contact:")[2] for ref in case.event.refs if "contact:" in ref}
    people = [entry.event.contact for entry in about if entry.event.contact]
    return [phone for person in people if not named or person.id in named for phone in person.phones if phone.startswith("+")]
