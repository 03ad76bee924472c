"""How an alert is written: the message, its two forms, and the request that carries it. Pure.

A message is whole before it is first sent: every try carries the same id and the same body, so a receiver can tell a repeated delivery
from another message.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bridge.alerts import Alert, Known, News, Turn
from bridge.config.schema import AlertFormat, AlertSettings, Concern
from bridge.keys import digest
from bridge.model import HttpRequest, iso, present
from bridge.sources.standard_webhooks import proof

TYPES: Mapping[Concern, tuple[str, str]] = {
    Concern.ISSUE: ("issue.opened", "issue.resolved"),
    Concern.PARKED: ("campaign.parked", "campaign.going_on"),
    Concern.UNKNOWN: ("event.unknown", "event.settled"),
    Concern.PAST_DUE: ("events.past_due", "events.in_time"),
    Concern.SILENCE: ("source.silent", "source.heard"),
    Concern.PAUSED: ("calling.paused", "calling.resumed"),
    Concern.PLATFORM: ("platform.silent", "platform.answering"),
    Concern.WORKERS: ("workers.gone", "workers.back"),
}
"""The ``type`` of a message while it goes on, and when it is over."""

HEARTBEAT, TEST = "heartbeat", "test"

_LISTED = 10
_WORDS = {Turn.NEW: "", Turn.AGAIN: "Still: ", Turn.OVER: "Over: "}
_MARKUP = re.compile(r"[&<>]")
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True, slots=True)
class Message:
    """``data`` has at least a ``title`` and what is ``told``."""

    id: str
    type: str
    at: datetime
    data: Mapping[str, Any]

    def written(self) -> str:
        return json.dumps({**asdict(self), "at": iso(self.at)})

    @classmethod
    def read(cls, written: str) -> "Message":
        kept = json.loads(written)
        return cls(kept["id"], kept["type"], datetime.fromisoformat(kept["at"]), kept["data"])


def message(news: News, public_url: str | None, now: datetime) -> Message:
    """What is told; ``public_url`` is what links begin with, None: there are none."""
    first, *more = news.known
    going_on, over = TYPES[first.alert.concern]
    data = _many([known.alert for known in news.known]) if more else _one(first, news.turn)
    data["title"] = _WORDS[news.turn] + data["title"]
    url = (public_url or "") + (_above(first.alert) if more else first.alert.path)
    return Message(
        id=_id(f"{news.turn}", *(f"{known.alert.key}@{iso(known.first)}#{known.times}" for known in news.known)),
        type=over if news.turn is Turn.OVER else going_on,
        at=now,
        data=present({"turn": news.turn, "concern": first.alert.concern, **data, "url": url if public_url else None}),
    )


def heartbeat(public_url: str | None, now: datetime) -> Message:
    data = {"title": "The bridge is alive", "told": "Workers and their Redis are there.", "url": f"{public_url}/ops/" if public_url else None}
    return Message(_id(HEARTBEAT, iso(now)), HEARTBEAT, now, present(data))


def trial(public_url: str | None, now: datetime) -> Message:
    """What ``callbridge alerts test`` sends."""
    told = "Alerts of this bridge arrive here. Nothing has happened: somebody tries whether they do."
    url = f"{public_url}/ops/" if public_url else None
    return Message(_id(TEST, iso(now)), TEST, now, present({"title": "A test of callbridge's alerts", "told": told, "url": url}))


def request(sent: Message, receiver: AlertSettings, now: datetime) -> HttpRequest:
    """The message for this receiver, proved as of now."""
    body = json.dumps(_FORMS[receiver.format](sent), ensure_ascii=False)
    signed = proof(receiver.secret.get_secret_value(), sent.id, body.encode(), now) if receiver.secret else {}
    return HttpRequest("POST", receiver.url.get_secret_value(), {"Content-Type": "application/json", **signed}, body)


def _one(known: Known, turn: Turn) -> dict[str, Any]:
    alert, since = known.alert, iso(known.alert.since or known.first)
    told = f"It was so since {since}." if turn is Turn.OVER else alert.told
    return {"key": alert.key, "title": alert.title, "told": told, "since": since, "count": alert.count, "times": known.times}


def _many(alerts: list[Alert]) -> dict[str, Any]:
    left = len(alerts) - _LISTED
    lines = [alert.title for alert in alerts[:_LISTED]] + ([f"and {left} more"] if left > 0 else [])
    return {"title": f"{len(alerts)} alerts at once", "told": "\n".join(lines), "count": len(alerts), "keys": [alert.key for alert in alerts]}


def _above(alert: Alert) -> str:
    """The page that lists what this is one of."""
    return "/".join(alert.path.partition("?")[0].split("/")[:3])


def _id(*parts: str) -> str:
    return f"msg_{digest(chr(10).join(parts))}"


def _document(sent: Message) -> dict[str, Any]:
    return {"type": sent.type, "timestamp": iso(sent.at), "data": dict(sent.data)}


def _slack(sent: Message) -> dict[str, Any]:
    lines = (sent.data["title"], sent.data["told"], sent.data.get("url", ""))
    return {"text": "\n".join(_plain(line) for line in lines if line)}


def _plain(text: str) -> str:
    """Nothing that a chat takes for markup, or that calls everybody of a channel."""
    return _MARKUP.sub(lambda found: _ESCAPED[found[0]], text).replace("@", "@\u200b")


_FORMS = {AlertFormat.STANDARD_WEBHOOKS: _document, AlertFormat.SLACK: _slack}
