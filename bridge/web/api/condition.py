"""``/status``, ``/history``, ``/whoami``: how everything is, what was done, who is asking."""

from collections.abc import Sequence
from functools import partial

from bridge import __version__, durability
from bridge.errors import Unusable
from bridge.examining import Examination
from bridge.ledger import Act, Cursor, audit
from bridge.ledger.issues import State
from bridge.model import Status, to_ms
from bridge.web.access import operator
from bridge.web.api import telling
from bridge.web.api.models import acts
from bridge.web.api.models import things as told
from bridge.web.api.models.forms import HistoryQuery, OverviewQuery
from bridge.web.api.operations import Operations
from bridge.web.api.places import opaque, place
from bridge.web.api.veil import BARE, veil_of_nobody
from bridge.wiring import Services

ABOUT = "How everything is, and what operators did."

_LINGERING = (Status.WAITING, Status.UNKNOWN, Status.PARKED)


def add(api: Operations, services: Services) -> None:
    """The bridge itself, and its operators."""
    api = api.about("bridge", ABOUT)

    @api.get("/status", told.Condition)
    def status() -> told.Condition:
        """How everything is

        How many events stand how, what is paused, how durable Redis is, and what `callbridge doctor` finds. It is answered 200
        also where something is bad: see `good`.
        """
        return _condition(services)

    @api.get("/overview", told.Overview)
    def overview(query: OverviewQuery) -> told.Overview:
        """What happened over time

        What came in, what became of it and how long calls took: whole, by parts of the time, by source and by campaign.
        """
        for field, there in (("source", services.config.sources), ("campaign", services.config.campaigns)):
            if (asked := getattr(query, field)) is not None and asked not in there:
                raise Unusable(f"there is no {field} of this name; there are {', '.join(there) or 'none'}", field=field)
        found = services.overseer.overview(query.stretch, services.clock(), query.source, query.campaign)
        return told.Overview.model_validate(found.document())

    @api.get("/history", acts.ActPage)
    def history(query: HistoryQuery) -> acts.ActPage:
        """What operators did

        The latest first. A page may hold fewer than `limit` and still have a `next`.
        """
        found, after = _acts(query, services)
        veil = veil_of_nobody()
        return acts.ActPage(items=[telling.act(done, veil) for done in found], next=opaque(after))

    @api.get("/whoami", told.Identity)
    def whoami() -> told.Identity:
        """Who is asking

        The name that the history will show.
        """
        return told.Identity(operator=operator())


def _acts(query: HistoryQuery, services: Services) -> tuple[Sequence[Act], str]:
    """A page, and where the next one begins: empty at the end."""
    if query.target is None:
        return services.audit.page(query.limit, place(query.after, audit.place) or "", query.by or "")
    done = [done for done in services.audit.of([query.target]) if query.by in {None, done.by}]
    start = place(query.after, partial(_behind, done)) or 0
    some, more = done[start : start + query.limit], done[start + query.limit :]
    same = sum(each.at == some[-1].at for each in done[: start + query.limit]) if some else 0
    return some, str(Cursor(to_ms(some[-1].at), str(same))) if more else ""


def _behind(done: Sequence[Act], written: str) -> int:
    """Where a page begins that goes on at a moment, behind so many acts of it. Raises ``ValueError`` for what is no such place."""
    cursor = Cursor.read(written)
    if not cursor.key.isdecimal():
        raise ValueError("this is no place in the history")
    return sum(to_ms(act.at) > cursor.at for act in done) + int(cursor.key)


def _condition(services: Services) -> told.Condition:
    now = services.clock()
    findings = list(Examination(services.config, services.ledger, services.spool).findings(now))
    found, promised = services.measuring.read(now), durability.read(services.redis)
    oldest = {status: services.search.oldest(f"status:{status}") for status in _LINGERING}
    asked = services.config.redis.durability.value
    return told.Condition(
        good=all(finding.level != "bad" for finding in findings),
        version=__version__,
        mode=services.config.mode.value,
        events=dict(found.snapshot.statuses),
        oldest={status.value: at for status, at in oldest.items() if at},
        unfinished=services.ledger.unfinished_count(),
        due=services.ledger.due_count(now),
        workers=found.workers,
        spooled=services.measuring.spooled(),
        open_issues=found.issue_states[State.OPEN],
        silent=[told.Silence(source=each.source, since=each.since) for each in found.silences],
        paused=[telling.pause(paused) for paused in found.pauses.values()],
        durability=told.Durability(level=promised.level.value, asked=asked, notes=durability.check(promised, asked)),
        findings=[told.Finding(level=each.level, what=each.what, told=BARE.theirs(each.told)) for each in findings],
    )
