"""What somebody should be told now, and whether a receiver has been: new, again after a while, over. Pure.

An alert has a key that stays the same while it goes on. It must have been so for as long as the receiver has patience, and be gone for
:data:`CALM` before it counts as over, so that what flickers is told once.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

from bridge.config.schema import AlertSettings, Concern
from bridge.ledger import KnownIssue, Stuck
from bridge.ledger.issues import State
from bridge.ledger.switches import EVERYTHING
from bridge.log import redact
from bridge.measuring import Measures
from bridge.model import Status, iso
from bridge.quantities import show_duration
from bridge.silence import last_worked
from bridge.terms import cause

CALM = timedelta(minutes=1)

MOST_APART = 5
"""So many alerts of one kind at one moment are told one by one; more of them in one message."""


class Turn(StrEnum):
    """Why a receiver is told: it began, it goes on, it is over."""

    NEW = "new"
    AGAIN = "again"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that is so now. ``since`` None: nobody knows, so since it was first noticed. ``mark`` tells one occurrence from the next.
    ``quiet``: nobody is told anew; somebody has it in hand, or had, or it is the weekend. ``path``: the page about it.
    """

    key: str
    concern: Concern
    title: str
    told: str
    path: str
    since: datetime | None = None
    count: int = 1
    mark: str = ""
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a receiver knows of an alert: first noticed, last seen to hold, told last (None: not yet) and how often."""

    alert: Alert
    first: datetime
    seen: datetime
    told: datetime | None = None
    times: int = 0

    def written(self) -> str:
        return json.dumps(asdict(self), default=iso)

    @classmethod
    def read(cls, written: str) -> "Known":
        kept = json.loads(written)
        alert = {**kept["alert"], "concern": Concern(kept["alert"]["concern"]), "since": _moment(kept["alert"]["since"])}
        moments = {name: _moment(kept[name]) for name in ("first", "seen", "told")}
        return cls(**{**kept, **moments, "alert": Alert(**alert)})


@dataclass(frozen=True, slots=True)
class News:
    """What one message is about: one alert, or many of one kind and turn."""

    turn: Turn
    known: tuple[Known, ...]


def holding(measures: Measures) -> list[Alert]:
    """Everything that somebody could want to be told, each key once."""
    return [alert for look in _LOOKS for alert in look(measures)]


def judge(holds: Sequence[Alert], known: Mapping[str, Known], receiver: AlertSettings, now: datetime) -> tuple[list[News], dict[str, Known]]:
    """What to tell this receiver now, and what it knows then."""
    news: list[tuple[Turn, Known]] = []
    then: dict[str, Known] = {}
    for alert in holds:
        if alert.concern in receiver.on:
            turn, then[alert.key] = _noticed(alert, known.get(alert.key), receiver, now)
            news += [(turn, then[alert.key])] if turn else []
    there = {alert.key for alert in holds if _is_long_enough(alert, then.get(alert.key), receiver, now)}
    for key, old in known.items():
        if key in there:
            continue
        if now - old.seen < CALM:
            then.setdefault(key, old)
        elif old.told and old.alert.concern in receiver.on:
            news.append((Turn.OVER, old))
            then.pop(key, None)
    return _gathered(news), then


def _noticed(alert: Alert, was: Known | None, receiver: AlertSettings, now: datetime) -> tuple[Turn | None, Known]:
    if was is None or was.alert.mark != alert.mark:
        was = Known(alert=alert, first=now, seen=now)
    if not _is_long_enough(alert, was, receiver, now):
        return None, was if was.told else replace(was, alert=alert, seen=now)
    is_known = replace(was, alert=alert, seen=now)
    due = was.told is None or now - was.told >= receiver.repeat
    if alert.quiet or not due:
        return None, is_known
    return Turn.AGAIN if was.told else Turn.NEW, replace(is_known, told=now, times=was.times + 1)


def _is_long_enough(alert: Alert, known: Known | None, receiver: AlertSettings, now: datetime) -> bool:
    """Whether it has been so for long enough."""
    if known is None:
        return False
    after: timedelta = getattr(receiver.after, alert.concern, timedelta(0))
    return now - (alert.since or known.first) >= after


def _gathered(news: Sequence[tuple[Turn, Known]]) -> list[News]:
    kinds: dict[tuple[Turn, Concern], list[Known]] = defaultdict(list)
    for turn, known in news:
        kinds[turn, known.alert.concern].append(known)
    told: list[News] = []
    for (turn, _), group in kinds.items():
        told += [News(turn, tuple(group))] if len(group) > MOST_APART else [News(turn, (known,)) for known in group]
    return told


def _issues(measures: Measures) -> Iterator[Alert]:
    for issue in measures.issues:
        if issue.state is not State.RESOLVED:
            yield Alert(
                key=f"issue:{issue.fingerprint}",
                concern=Concern.ISSUE,
                title=f"{_counted(issue.failed, 'event')} of {issue.source} failed{_in(issue)}",
                told=f"{_safe(issue.cause)}. Failed events stay so until somebody replays them: mend the cause first.",
                path=f"/ops/issues/{issue.fingerprint}",
                since=issue.reopened or issue.first,
                count=issue.failed,
                mark=iso(issue.reopened or issue.first),
                quiet=issue.state is State.ACKNOWLEDGED or not issue.failed,
            )


def _in(issue: KnownIssue) -> str:
    return f" in campaign {issue.campaign}" if issue.campaign else ""


def _parked(measures: Measures) -> Iterator[Alert]:
    """By who does not take what is to be done; what somebody paused is parked on purpose."""
    groups: dict[tuple[str, str], list[Stuck]] = defaultdict(list)
    for stuck in measures.standing.parked:
        if not _is_paused(stuck, measures):
            groups["campaign" if stuck.campaign else "source", stuck.campaign or stuck.source].append(stuck)
    more = " or more" if len(measures.standing.parked) < measures.snapshot.statuses.get(Status.PARKED, 0) else ""
    for (kind, name), group in groups.items():
        yield Alert(
            key=f"parked:{kind}:{name}",
            concern=Concern.PARKED,
            title=f"{len(group)}{more} event{'s are' if len(group) > 1 or more else ' is'} parked: {kind} {name}",
            told=f"{_safe(cause(group[-1].reason))}. They go on by themselves when that is mended.",
            path=_search(f"status:parked {kind}:{name}"),
            count=len(group),
        )


def _is_paused(stuck: Stuck, measures: Measures) -> bool:
    return not {EVERYTHING, f"campaign:{stuck.campaign}", f"source:{stuck.source}"}.isdisjoint(measures.pauses)


def _unknown(measures: Measures) -> Iterator[Alert]:
    stuck = measures.standing.unknown
    if stuck:
        since, count = min(each.since for each in stuck), max(measures.snapshot.statuses.get(Status.UNKNOWN, 0), len(stuck))
        yield Alert(
            key="unknown",
            concern=Concern.UNKNOWN,
            title=f"{_counted(count, 'event')} unknown, the oldest for {_for(since, measures.at)}",
            told="A request was sent and no answer came; whether the call was made is being found out. See whether the platform answers.",
            path=_search("status:unknown"),
            since=since,
            count=count,
        )


def _past_due(measures: Measures) -> Iterator[Alert]:
    standing = measures.standing
    if standing.due_since:
        yield Alert(
            key="past_due",
            concern=Concern.PAST_DUE,
            title=f"{_counted(standing.due, 'event')} due, the oldest for {_for(standing.due_since, measures.at)}",
            told="More workers are needed, or they hang: `callbridge doctor` and their log say which.",
            path="/ops/",
            since=standing.due_since,
            count=standing.due,
        )


def _silence(measures: Measures) -> Iterator[Alert]:
    for silence in measures.silences:
        yield Alert(
            key=f"silence:{silence.source}",
            concern=Concern.SILENCE,
            title=f"Nothing came from {silence.source} for {_for(silence.since, measures.at)}",
            told="See whether its webhooks are still switched on, and whether they are refused here.",
            path=f"/ops/sources/{silence.source}",
            since=silence.since,
            quiet=last_worked(measures.at) != measures.at,
        )


def _paused(measures: Measures) -> Iterator[Alert]:
    for scope, pause in measures.pauses.items():
        what = "all calling" if scope == EVERYTHING else scope.replace(":", " ", 1)
        yield Alert(
            key=f"paused:{scope}",
            concern=Concern.PAUSED,
            title=f"{pause.by} paused {what}",
            told="Events are taken in and wait; nobody of them is called until it is resumed.",
            path="/ops/switches",
            since=pause.at,
            mark=iso(pause.at),
        )


def _platform(measures: Measures) -> Iterator[Alert]:
    for campaign, since in measures.standing.left_alone.items():
        yield Alert(
            key=f"platform:{campaign}",
            concern=Concern.PLATFORM,
            title=f"The platform does not answer for campaign {campaign}",
            told="Its calls wait, and go on by themselves when it does.",
            path=f"/ops/campaigns/{campaign}",
            since=since,
        )


def _workers(measures: Measures) -> Iterator[Alert]:
    if not measures.workers:
        yield Alert(
            key="workers",
            concern=Concern.WORKERS,
            title="No worker process is there",
            told="Webhooks are taken in, and wait: the log of `callbridge worker` says why its processes end.",
            path="/ops/",
        )


_LOOKS: tuple[Callable[[Measures], Iterator[Alert]], ...] = (_issues, _parked, _unknown, _past_due, _silence, _paused, _platform, _workers)


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _for(since: datetime, now: datetime) -> str:
    """In whole minutes, or hours once that says enough."""
    minutes = max(now - since, timedelta(0)) // timedelta(minutes=1)
    return show_duration(timedelta(hours=minutes // 60) if minutes >= 120 else timedelta(minutes=minutes)) if minutes else "less than a minute"


def _safe(reason: str) -> str:
    """A kind of reason has no name in quotes, no key and no number left in it; this is for what could be."""
    return redact(reason).rstrip(".")


def _search(query: str) -> str:
    return f"/ops/search?q={quote(query)}"
