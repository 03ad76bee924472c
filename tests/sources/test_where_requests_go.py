"""Whatever a body or an answer says, requests go to the configured address and nowhere else: over every kind and every captured body.

Whoever can send a body could otherwise have the bridge send its token to a host of theirs, or ask something else than about a record.
"""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from bridge.errors import CallbridgeError
from bridge.model import Delivery, Event, HttpRequest, HttpResponse
from bridge.sources import kinds
from bridge.sources.base import Source
from bridge.sources.oauth import OAuthSource
from bridge.wiring import clock
from workers.crm_api import leads_astray

FIXTURES = Path(__file__).parents[1] / "fixtures"
FORM = "application/x-www-form-urlencoded"
HOST = "crm.example.com"
BASE = f"https://{HOST}/rest"
TOKEN = "token-of-ours-0123456789"
SPECIAL = {("bitrix24", False): {"api_token": f"{BASE}/1/abc123abc123abc1"}, ("dynamics365", True): {"refresh_token": None}}
STEPS = 12
TIMES = 4
HOSTILE = (
    "https://evil.example/",
    "//evil.example",
    "evil.example",
    "@evil.example",
    ":@evil.example/",
    ".evil.example",
    "\\evil.example",
    "../../../evil",
    "..",
    ".",
    "%2e%2e",
    "..%2f..",
    "1/../../evil",
    "1?evil=1",
    "1#evil",
    "1&evil=1",
    "1\r\nHost: evil.example",
    "1 HTTP/1.1\r\nX-Evil: 1",
    "1\x00",
    "' OR Id != '",
    '"}, "evil": {"a": "',
)


@cache
def setup(kind: str) -> dict[str, Any]:
    return json.loads((FIXTURES / kind / "source.json").read_text())


@dataclass(frozen=True)
class Sample:
    """A captured body, and the source it came to."""

    kind: str
    body: bytes
    content_type: str
    query: str
    headers: dict[str, str]
    told: dict[str, Any]

    def source(self, *, renews: bool) -> Source:
        """With everything that look-ups need, at an address of ours."""
        adapter = kinds()[self.kind]
        fields = adapter.settings_type.model_fields
        access = dict.fromkeys(("client_id", "client_secret", "refresh_token", "tenant_id"), TOKEN) if renews else {"api_token": TOKEN}
        given = {"api_base": BASE, "oauth_base": BASE, "accounts_base": BASE, "database": "crm", "user_id": 2, "redirect_uri": BASE} | access
        extra = {name: value for name, value in given.items() if name in fields} | SPECIAL.get((self.kind, renews), {})
        return adapter("crm", adapter.settings_type(**{"kind": self.kind, **setup(self.kind)["settings"], **self.told, **extra}))

    @classmethod
    def read(cls, path: Path) -> "Sample":
        name, told = path.name.removesuffix(".expected.json"), json.loads(path.read_text())
        meta = json.loads(path.with_name(f"{name}.meta.json").read_text())
        (held_in,) = (file for file in path.parent.glob(f"{name}.*") if file.name.count(".") == 1)
        return cls(
            path.parent.name, held_in.read_bytes(), meta["content_type"], told.get("query", ""), told.get("headers", {}), told.get("settings", {})
        )


SAMPLES = [Sample.read(path) for path in sorted(FIXTURES.glob("*/*.expected.json")) if path.parent.name in kinds()]
ANSWERS = {
    kind: [json.loads(path.read_text()) for path in sorted((FIXTURES / kind).glob("api_*.json")) if ".meta." not in path.name] for kind in kinds()
}


def poisoned(value: Any, poison: str, chance: random.Random, odds: int) -> Any:
    """The same shape with the poison in one of ``odds`` places."""
    if isinstance(value, dict):
        return {name: poisoned(child, poison, chance, odds) for name, child in value.items()}
    if isinstance(value, list):
        return [poisoned(child, poison, chance, odds) for child in value]
    return chance.choice((poison, f"{value}{poison}")) if chance.randrange(odds) == 0 else value


def poisoned_body(sample: Sample, poison: str, chance: random.Random) -> bytes:
    text = sample.body.decode()
    if sample.content_type == FORM and not text.lstrip().startswith(("{", "[")):
        pairs = parse_qsl(text, keep_blank_values=True)
        return urlencode([(name, poisoned(value, poison, chance, 2)) for name, value in pairs]).encode()
    if text.lstrip().startswith("<"):
        escaped = re.sub(r"[&<>\x00\r]", "_", poison)
        return re.sub(r">([^<>]+)<", lambda told: chance.choice((f">{escaped}<", told[0])), text).encode()
    told = poisoned(json.loads(text), poison, chance, 2)
    if sample.content_type == FORM:
        return urlencode([(name, json.dumps(value) if isinstance(value, dict | list) else value) for name, value in told.items()]).encode()
    return json.dumps(told).encode()


def events(source: Source, sample: Sample, body: bytes) -> list[Event]:
    signed = source.sign(body, f"https://bridge.example.com/webhooks/crm?{sample.query}", clock())
    headers = {name.lower(): value for name, value in signed.headers.items()} | {"content-type": sample.content_type} | sample.headers
    delivery = Delivery(source="crm", body=signed.body, url=signed.url, received_at=clock(), headers=headers)
    try:
        return [event for event in source.parse(delivery) if isinstance(event, Event)]
    except CallbridgeError:
        return []


def asked(source: Source, event: Event, answers: Iterator[HttpResponse]) -> Iterator[HttpRequest]:
    """Every request of one look-up; an adapter that trips over its answer ends it, as it does for a worker."""
    lookup = source.look_up(event, ["fields.evil", "fields.name"])
    try:
        request = next(lookup)
        for answer, _ in zip(answers, range(STEPS), strict=False):
            yield request
            source.judge(answer)
            request = lookup.send(answer)
    except (StopIteration, CallbridgeError, LookupError, TypeError, AttributeError, ValueError, RuntimeError):
        return


def assert_ours(request: HttpRequest) -> None:
    """As the wire will have it: the library below makes paths shorter, and so does many a server."""
    prepared = requests.Request(request.method, request.url, headers=dict(request.headers), data=request.body.encode() or None).prepare()
    at = urlsplit(prepared.url or "")
    assert (at.scheme, at.netloc) == ("https", HOST), request
    assert at.path.startswith("/rest/"), request
    assert not urlsplit(request.url).fragment, request
    assert not re.search(r"[\x00-\x20\\]", request.url), request
    assert not [value for value in request.headers.values() if re.search(r"[\x00-\x08\x0a-\x1f]", value)], request


@pytest.mark.parametrize("renews", [False, True], ids=["token", "renewed token"])
@pytest.mark.parametrize("poison", HOSTILE)
@pytest.mark.parametrize("kind", kinds())
def test_neither_a_body_nor_an_answer_steers_a_request(kind, poison, renews):
    if renews and not issubclass(kinds()[kind], OAuthSource):
        return
    chance = random.Random(f"{kind} {poison}")

    def answers() -> Iterator[HttpResponse]:
        while True:
            told = chance.choice([*ANSWERS[kind], {"data": {"id": "1"}}])
            yield HttpResponse(200, {"location": "https://evil.example/"}, json.dumps(poisoned(told, poison, chance, 4)))

    for sample in [sample for sample in SAMPLES if sample.kind == kind] * TIMES:
        source = sample.source(renews=renews)
        for event in filter(source.can_look_up, events(source, sample, poisoned_body(sample, poison, chance))):
            for request in asked(source, event, answers()):
                if not leads_astray(request.url):  # those a worker does not send
                    assert_ours(request)


@pytest.mark.parametrize("kind", kinds())
def test_a_look_up_is_made_at_all_so_that_the_above_can_fail(kind):
    made = []
    for sample in (sample for sample in SAMPLES if sample.kind == kind):
        source = sample.source(renews=False)
        for event in filter(source.can_look_up, events(source, sample, sample.body)):
            made += asked(source, event, iter([HttpResponse(200, {}, "{}")]))

    for request in made:
        assert_ours(request)
    assert bool(made) == ("api_base" in kinds()[kind].settings_type.model_fields)


@pytest.mark.parametrize("kind", [kind for kind, adapter in kinds().items() if issubclass(adapter, OAuthSource)])
@pytest.mark.parametrize("poison", HOSTILE)
def test_a_refresh_token_that_a_crm_gave_does_not_steer_the_next_renewal(kind, poison):
    source = next(sample for sample in SAMPLES if sample.kind == kind).source(renews=True)
    assert isinstance(source, OAuthSource)

    assert urlsplit(source.renewal(poison).url)[:3] == urlsplit(source.renewal("as-it-should-be").url)[:3]
