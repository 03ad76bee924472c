"""monday.com: webhooks of boards and of integration apps, one event a request, for the items of the boards that are configured.

Facts after https://developer.monday.com/api-reference/reference/webhooks, .../api-reference/docs/error-handling, .../docs/rate-limits and
https://developer.monday.com/apps/docs/authorization-header.

An app's webhook carries a JWT (HS256, the app's signing secret): its signature, ``aud`` (this very URL), its times and, where ``account_id``
is set, its account are checked. It does not cover the body. A board's own webhook carries nothing, so that its secret is in the URL. Whoever
sends a JWT is judged by it alone. A challenge is answered before any proof: its sender gets back what it sent, and nothing else.

What an item is, monday.com does not say: ``boards`` says it, and where its stage stands. Items of other boards, subitems among them (they
have a board of their own), are ``unknown``.

Event id: board, type, item, column, ``triggerUuid``. ``isRetry`` and ``retryCount`` change on redelivery; ``subscriptionId`` differs where a
webhook was made twice. Without a ``triggerUuid`` the time of the change stands in, and without that what is said.

Fact: board, item, and what happened: ``created`` (once in an item's life), ``stage→<name>``, ``deleted``, or ``updated`` with the new values;
to the second of ``changedAt``, which webhooks about one change share, or of ``triggerTime`` where there is no other. What
``change_column_value`` and ``change_status_column_value`` both tell is one fact. Where no time is told, a fact is good for an hour.

A stage is the label of the board's ``stage`` column; or, where that is ``group``, the group's id, which alone is told of the old one too. A label
taken away is no stage. Archiving is a deletion, for an archived item is on no board any more; restoring is an ``….updated``: as a
second ``….created`` it would have a person called as new again.

Phones stand in phone columns: the item's own come first, then those of people whom a connect-boards column links. The API is asked without a
version, which means its current one: a version that is named is switched off within a year or two.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from jwt import PyJWS, PyJWTError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Reply, Stage, Unparsed, iso, present
from bridge.phones import to_e164
from bridge.signing import TOLERANCE, check_age
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import answer, fingerprint, first, gone, mapping, moment, refs, refusal, retry_after, rows, text, with_people

_JWT = re.compile(r"(?:Bearer +)?([\w-]+\.[\w-]+\.[\w-]*)", re.ASCII | re.IGNORECASE)

_ACTIONS = {
    "create_pulse": "created",
    "update_column_value": "updated",
    "update_name": "updated",
    "move_pulse_into_group": "updated",
    "restore_pulse": "updated",
    "archive_pulse": "deleted",
    "delete_pulse": "deleted",
}
_PEOPLE = frozenset({"lead", "contact"})
_GROUP = "group"
_ENVELOPE = frozenset({"isRetry", "retryCount", "subscriptionId"})
_AN_HOUR = timedelta(hours=1)  # monday.com repeats once a minute for half of it

_COLUMN = "id type text ... on PhoneValue { phone country_short_name } ... on EmailValue { email }"
_LINKED = f"... on BoardRelationValue {{ linked_items {{ id name state board {{ id }} column_values(types: [phone, email]) {{ {_COLUMN} }} }} }}"
_ITEM = f"id name state board {{ id }} group {{ id }} column_values {{ {_COLUMN} {_LINKED} }}"
_READ = f"query ($board: [ID!], $item: [ID!]) {{ boards(ids: $board) {{ id }} items(ids: $item) {{ {_ITEM} }} }}"

_UNAUTHORIZED = frozenset({"USER_UNAUTHORIZED", "UserUnauthorizedException"})
_UNTIL_TOMORROW = "DAILY_LIMIT_EXCEEDED"


class Board(BaseModel):
    """What the items of one board are, and the id of the column that is their stage, or ``group``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: Literal["lead", "contact", "deal"]
    stage: str = "status"


def _in_full(value: Any) -> Any:
    return {"items": value} if isinstance(value, str) else value


class MondaySettings(SourceSettings):
    """``secret``: the app's signing secret, or what stands in the webhook's URL; ``api_token`` a user's. ``boards`` go by their ids."""

    boards: dict[str, Annotated[Board, BeforeValidator(_in_full)]] = Field(default_factory=dict)
    account_id: str | None = None
    api_base: ApiBase = "https://api.monday.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """One event in our words. ``values`` are of the columns that are told, ``previous`` what they held before."""

    told: Mapping[str, Any]
    type: str
    board_id: str | None
    item_id: str | None
    board: Board | None
    values: Mapping[str, Any]
    previous: Mapping[str, Any]
    happened_at: datetime | None

    @property
    def action(self) -> str | None:
        return _ACTIONS.get(self.type) if self.board and self.item_id else None

    @property
    def entity(self) -> Entity | None:
        return Entity(self.board.items if self.board else "item", self.item_id) if self.item_id else None

    @property
    def name(self) -> str | None:
        return text(self.told.get("pulseName") or self.told.get("itemName") or self.values.get("name"))

    @property
    def group(self) -> str | None:
        return text(self.told.get("destGroupId") or self.told.get("groupId"))

    @property
    def stage(self) -> Stage | None:
        """A move that an update makes: to another label, or to another group."""
        if self.board is None or self.board.items == "contact" or self.action != "updated":
            return None
        if self.board.stage == _GROUP:
            stage = Stage(after=text(self.told.get("destGroupId")), before=text(self.told.get("sourceGroupId")))
        else:
            stage = Stage(after=_label(self.values.get(self.board.stage)), before=_label(self.previous.get(self.board.stage)))
        return stage if stage.after and stage.after != stage.before else None

    @property
    def event_type(self) -> str:
        return f"{self.board.items}.{'stage_changed' if self.stage else self.action}" if self.board and self.action else "unknown"

    @property
    def id(self) -> str:
        at = iso(self.happened_at) if self.happened_at else None
        said = {name: self.told[name] for name in self.told if name not in _ENVELOPE}
        mark = text(self.told.get("triggerUuid")) or at or fingerprint(said)
        return keys.join(self.board_id, self.type, self.item_id, text(self.told.get("columnId")), mark)

    @property
    def fact(self) -> Sequence[str | None]:
        """The item, what happened to it, and when, as all webhooks about it tell it."""
        record, second = (self.board_id, self.item_id), iso(self.happened_at.replace(microsecond=0)) if self.happened_at else None
        if self.action == "created":
            return (*record, "created")
        if self.action == "deleted" or self.stage:
            return (*record, f"stage→{self.stage.after}" if self.stage else "deleted", second)
        return (*record, self.action or self.type, fingerprint([self.values, self.group]), second)

    @property
    def fields(self) -> Mapping[str, Any]:
        told = {name: _shown(value) for name, value in self.values.items()}
        previous = {name: _shown(value) for name, value in self.previous.items()}
        record = {"name": self.name, "boardId": self.board_id, "groupId": self.group, "previous": previous or None}
        return {**told, **present(record)}


class Monday(Source):
    """The boards of one monday.com account."""

    kind = "monday"
    title = "monday.com"
    manual = Manual(
        where="the board's integrations → webhooks, or an app's",
        proof="a JWT (HS256) where an app sends it, else a secret in the URL",
        secret="the app's signing secret, or what you put behind `?token=`",  # noqa: S106 -- words about it
        api_token="a user's personal API token",  # noqa: S106 -- the same
    )
    settings_type = MondaySettings
    looked_up = frozenset({"lead", "contact", "deal"})
    wants_200 = True  # whatever else is sent again once a minute for half an hour
    signs_url = True

    settings: MondaySettings

    def handshake(self, delivery: Delivery) -> Reply | None:
        """The challenge of a webhook that is being made goes back as it came."""
        if b'"challenge"' not in delivery.body:
            return None
        try:
            told = mapping(read_json(delivery.body))
        except Unreadable:
            return None
        if not isinstance(told.get("challenge"), str) or "event" in told:
            return None
        return Reply(200, json.dumps({"challenge": told["challenge"]}).encode(), {"Content-Type": "application/json"})

    def verify(self, delivery: Delivery, now: datetime) -> None:
        token = _JWT.fullmatch(delivery.headers.get("authorization", "").strip())
        if token:
            self._verify_claims(self._claims(token[1]), delivery, now)
        else:
            self.verify_shared_secret(delivery)

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        body = read_json(delivery.body)
        told = body.get("event") if isinstance(body, Mapping) else None
        if not isinstance(told, Mapping):
            raise Unreadable("monday.com sends a JSON object with event", "event")
        notice = self._notice(told)
        contact = self._contact_of(notice)
        event = Event(
            source=self.name,
            kind=self.kind,
            id=notice.id,
            type=notice.event_type,
            fact=keys.join(self.kind, *notice.fact),
            received_at=delivery.received_at,
            occurred_at=notice.happened_at,
            entity=notice.entity,
            refs=refs(notice.entity, contact),
            stage=notice.stage,
            contact=contact,
            fields=notice.fields,
            window=None if notice.happened_at or notice.action == "created" else _AN_HOUR,
        )
        return [event]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        """As an app's webhook; a board's own has no more than the secret in its URL."""
        made, account = int(now.timestamp()), present({"accountId": self.settings.account_id})
        claims = {**account, "aud": url, "iat": made, "exp": made + int(TOLERANCE.total_seconds())}
        token = PyJWS().encode(json.dumps(claims).encode(), self.require_secret()[0], algorithm="HS256")
        return Signed(body, url, {"Content-Type": "application/json", "Authorization": token})

    def can_look_up(self, event: Event) -> bool:
        return super().can_look_up(event) and event.type != "unknown"

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """One query for the item, its columns and the people linked to it, whatever fields are ``wanted``. Scope boards:read."""
        del wanted
        if event.entity is None:
            return event
        item = _found((yield self._ask(_READ, board=event.fields.get("boardId"), item=event.entity.id)), event.entity)
        columns = rows(item.get("column_values"))
        fields = {
            **{column: row.get("text") for row in columns if (column := text(row.get("id")))},
            **present({"name": text(item.get("name")), "groupId": text(mapping(item.get("group")).get("id"))}),
        }
        people = [(event.entity, item), *self._linked(columns)]
        event = event.knowing(fields=fields, refs=refs(*(entity for entity, _ in people)))
        return with_people(event, [self._person(entity, person) for entity, person in people])

    def stage_now(self, before: Event, fresh: Event) -> str | None:
        del before
        board = self.settings.boards.get(str(fresh.fields.get("boardId")))
        return text(fresh.fields.get("groupId" if board.stage == _GROUP else board.stage)) if board else None

    def probe(self) -> HttpRequest | None:
        return self._ask("query { boards(limit: 1) { id } }") if self.api_token else None

    def judge(self, response: HttpResponse) -> None:
        """Most refusals come as a 200 with ``errors``: a code, and often in how many seconds to ask again."""
        code, wait = _refusal(response)
        if code is None or response.status in {401, 403}:
            super().judge(response)
            return
        if code in _UNAUTHORIZED:
            raise LookupFailed(f"{self.title} does not let the user of api_token read this ({code})", parked=True)
        wait = wait or retry_after(response) or (3600 if code == _UNTIL_TOMORROW else None)
        raise LookupFailed(f"{self.title} answered {response.status}: {code}", retry_after=wait)

    def _claims(self, token: str) -> Mapping[str, Any]:
        """What a JWT says that one of the secrets signed; with HS256, whatever else its header asks for."""
        for secret in self.require_secret():
            try:
                return mapping(read_json(PyJWS().decode(token, secret, algorithms=["HS256"])))
            except (PyJWTError, Unreadable):
                continue
        raise Unverified(Refusal.WRONG_SIGNATURE, "the JWT's signature does not match")

    def _verify_claims(self, claims: Mapping[str, Any], delivery: Delivery, now: datetime) -> None:
        here = _endpoint(delivery.url)
        if _endpoint(text(claims.get("aud")) or "") != here:
            raise Unverified(Refusal.WRONG_SIGNATURE, f"the JWT is for another URL than {here}: is server.public_url right?")
        made, ends = moment(claims.get("iat")), moment(claims.get("exp"))
        if made is None or ends is None:
            raise Unverified(Refusal.MISSING, "the JWT does not say when it was made and when it ends")
        check_age(min(made, ends - TOLERANCE), now)
        self.verify_account("accountId", self.settings.account_id, lambda: [text(claims.get("accountId"))])

    def _notice(self, told: Mapping[str, Any]) -> _Notice:
        kind, column, board_id = text(told.get("type")) or "", text(told.get("columnId")), text(told.get("boardId"))
        values, previous = told.get("value"), told.get("previousValue")
        if column:
            values, previous = {column: values}, {column: previous} if previous else {}
        return _Notice(
            told=told,
            type=kind,
            board_id=board_id,
            item_id=text(told.get("pulseId")) or text(told.get("itemId")),
            board=self.settings.boards.get(board_id or ""),
            values=mapping(told["columnValues"] if kind == "create_pulse" and "columnValues" in told else values),
            previous=mapping(previous),
            happened_at=moment(told.get("changedAt")) or moment(told.get("triggerTime")),
        )

    def _contact_of(self, notice: _Notice) -> Contact | None:
        """The person an item is, or the number that was just written into one."""
        if notice.board is None:
            return None
        values = [mapping(value) for value in notice.values.values()]
        person = self.contact(
            *(_number(value.get("phone"), value.get("countryShortName")) for value in values),
            id=notice.item_id if notice.board.items == "contact" else None,
            name=notice.name if notice.board.items in _PEOPLE else None,
            email=first(value.get("email") for value in values),
        )
        return person if person.document() else None

    def _linked(self, columns: Sequence[Mapping[str, Any]]) -> list[tuple[Entity, Mapping[str, Any]]]:
        """The items of boards of people that the columns link to, in the order of the columns."""
        found = []
        for item in (item for row in columns for item in rows(row.get("linked_items"))):
            board, item_id = self.settings.boards.get(text(mapping(item.get("board")).get("id")) or ""), text(item.get("id"))
            if board and board.items in _PEOPLE and item_id and not _gone(item):
                found.append((Entity(board.items, item_id), item))
        return found

    def _person(self, entity: Entity, item: Mapping[str, Any]) -> Contact:
        columns = rows(item.get("column_values"))
        return self.contact(
            *(_number(row.get("phone"), row.get("country_short_name")) for row in columns),
            id=entity.id if entity.type == "contact" else None,
            name=text(item.get("name")) if entity.type in _PEOPLE else None,
            email=first(row.get("email") for row in columns),
        )

    def _ask(self, query: str, **variables: str | None) -> HttpRequest:
        body = {"query": query, "variables": {name: [value] for name, value in variables.items() if value}}
        headers = {"Authorization": self.api_token, "Content-Type": "application/json"}
        return HttpRequest("POST", f"{self.settings.api_base}/v2", headers, json.dumps(body))


def _endpoint(url: str) -> str:
    """A URL without its query, which may hold a secret."""
    return url.partition("?")[0].rstrip("/")


def _label(value: Any) -> str | None:
    return text(mapping(mapping(value).get("label")).get("text"))


def _shown(value: Any) -> Any:
    """What a column shows, as the API's ``text`` would say it; the value as it is where that is not known."""
    told = mapping(value)
    shown = _label(value) or next((told[name] for name in ("phone", "email", "value", "text") if told.get(name) is not None), None)
    return value if shown is None else shown


def _number(phone: Any, country: Any) -> Any:
    """A number is written without a + beside the country it is read in; one that cannot be is left to the source's region."""
    return to_e164(phone, str(country).upper()) or phone if country else phone


def _gone(item: Mapping[str, Any]) -> bool:
    return item.get("state") in {"archived", "deleted"}


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """The item. One that is not there is gone for good only where its board can be seen: what the token's user may not see is left out too."""
    data = mapping(answer(response).get("data"))
    item = next(iter(rows(data.get("items"))), None)
    if item is None and not rows(data.get("boards")):
        raise LookupFailed(f"the board of {entity.ref} is not to be seen by the user of api_token", parked=True)
    if item is None or _gone(item):
        raise gone(entity.ref, "monday.com")
    return item


def _refusal(response: HttpResponse) -> tuple[str | None, float | None]:
    """The code of an answer's first error, and the seconds it asks to wait; older errors stand beside ``errors``."""
    told = mapping(refusal(response)) if '"error' in response.body else {}
    extensions = mapping(next((error.get("extensions") for error in rows(told.get("errors"))), None))
    code = text(extensions.get("code")) or text(told.get("error_code")) or ("an error without a code" if told.get("errors") else None)
    wait = extensions.get("retry_in_seconds")
    return code, float(wait) if isinstance(wait, int | float) and not isinstance(wait, bool) else None
