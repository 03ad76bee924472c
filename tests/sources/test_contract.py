"""What every adapter promises, over every kind there is and every body captured for it.

A new adapter is found by itself, and so are its bodies: ``tests/fixtures/<kind>/source.json`` says how the source is configured, what its
signature covers, which fields a redelivery may change (``volatile``), a body without the secret where the secret is in it
(``unsigned_body``), and what else in the bodies is secret (``secrets_in_bodies``); ``<name>.expected.json`` beside a body says which
events come of it, with ``settings`` and ``headers`` where this body needs its own, and ``same_event_as`` where another body tells the
same event in another form.
"""

import copy
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import Refusal, Unreadable, Unverified
from bridge.keys import LONGEST, cancel_key, event_key
from bridge.model import Delivery, Event, Unparsed
from bridge.sources import kinds
from bridge.sources.base import Source
from bridge.sources.bodies import form_fields

FIXTURES = Path(__file__).parents[1] / "fixtures"
NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
URL = "https://bridge.example.com/webhooks/crm?tag=a%2Fb"
FORM = "application/x-www-form-urlencoded"
TOLD = ("type", "occurred_at", "entity", "refs", "stage", "contact")


@cache
def setup(kind: str) -> dict[str, Any]:
    return json.loads((FIXTURES / kind / "source.json").read_text())


def source(kind: str, **changes: Any) -> Source:
    adapter = kinds()[kind]
    return adapter("crm", adapter.settings_type(kind=kind, **{**setup(kind)["settings"], **changes}))


@dataclass(frozen=True)
class Sample:
    """One captured body, as it was sent, and the events that must come of it."""

    kind: str
    name: str
    body: bytes
    content_type: str
    expected: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """What the CRM sends beside what signs: an event's id in a header, for one."""
        return self.expected.get("headers", {})

    @property
    def signs(self) -> list[str]:
        return self.expected.get("signs", setup(self.kind)["signs"])

    @property
    def url(self) -> str:
        return f"{URL}&{self.expected['query']}" if "query" in self.expected else URL

    @property
    def same_event_as(self) -> str | None:
        """The sample that tells the same event in another form."""
        return self.expected.get("same_event_as")

    @classmethod
    def read(cls, path: Path) -> "Sample":
        name = path.name.removesuffix(".expected.json")
        meta = json.loads(path.with_name(f"{name}.meta.json").read_text())
        (held_in,) = (file for file in path.parent.glob(f"{name}.*") if file.name.count(".") == 1)
        body = held_in.read_bytes()
        if meta["content_type"] == FORM and held_in.suffix == ".json":
            body = urlencode(list(form_fields(json.loads(body)))).encode()
        if not meta.get("is_full_request_body", True):  # one element of the array that is sent
            body = b"[" + body + b"]"
        return cls(path.parent.name, name, body, meta["content_type"], json.loads(path.read_text()))

    @property
    def source(self) -> Source:
        return source(self.kind, **self.expected.get("settings", {}))

    def delivery(self, signed_by: Source, body: bytes | None = None, at: datetime = NOW) -> Delivery:
        body = self.body if body is None else body
        signed = signed_by.sign(body, self.url, at)
        headers = {**signed.headers, "Content-Type": self.content_type, **self.headers}
        lower = {name.lower(): value for name, value in headers.items()}
        return Delivery(source="crm", body=signed.body, url=signed.url, received_at=at, headers=lower)

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}"


SAMPLES = [Sample.read(path) for path in sorted(FIXTURES.glob("*/*.expected.json")) if path.parent.name in kinds()]
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)
each_kind = pytest.mark.parametrize("kind", kinds())


def keys_of(parsed: list[Event | Unparsed]) -> list[tuple[str, str]]:
    return [(event.id, event.fact) if isinstance(event, Event) else (event.id, "unparsed") for event in parsed]


@each_kind
def test_every_kind_has_captured_bodies(kind):
    assert any(sample.kind == kind for sample in SAMPLES)


@each_kind
def test_every_captured_request_says_what_is_expected_of_it(kind):
    metas = {path: json.loads(path.read_text()) for path in (FIXTURES / kind).glob("*.meta.json")}
    bodies = {path.name.removesuffix(".meta.json") for path, meta in metas.items() if "kind" not in meta}

    assert bodies == {sample.name for sample in SAMPLES if sample.kind == kind}


def test_the_disk_stands_in_for_redis_for_crms_that_never_send_again_and_no_others():
    once = {kind for kind, adapter in kinds().items() if not adapter.sends_again}

    assert once == {"activecampaign", "bitrix24", "copper", "odoo", "twenty"}


@each_sample
def test_a_genuine_delivery_is_believed(sample):
    adapter = sample.source

    adapter.verify(sample.delivery(adapter), NOW)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if "body" in sample.signs], ids=str)
def test_a_body_that_was_tampered_with_is_refused(sample):
    adapter = sample.source
    genuine = sample.delivery(adapter)
    forged = Delivery(source="crm", body=genuine.body + b" ", url=genuine.url, received_at=NOW, headers=genuine.headers)

    with pytest.raises(Unverified) as refused:
        adapter.verify(forged, NOW)

    assert refused.value.refusal is Refusal.WRONG_SIGNATURE


@each_kind
def test_a_delivery_without_one_of_its_headers_is_refused(kind):
    adapter = source(kind)
    signed = {name.lower(): value for name, value in adapter.sign(b"{}", URL, NOW).headers.items() if name.lower() != "content-type"}

    for missing in signed:
        headers = {name: value for name, value in signed.items() if name != missing}

        with pytest.raises(Unverified):
            adapter.verify(Delivery(source="crm", body=b"{}", url=URL, received_at=NOW, headers=headers), NOW)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if "body" in sample.signs and sample.body], ids=str)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_body_with_one_byte_of_it_changed_is_refused(sample, data):
    adapter = sample.source
    genuine = sample.delivery(adapter)
    place = data.draw(st.integers(0, len(genuine.body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != genuine.body[place]))
    body = genuine.body[:place] + bytes([byte]) + genuine.body[place + 1 :]

    with pytest.raises(Unverified):
        adapter.verify(replace(genuine, body=body), NOW)


@each_kind
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_proof_with_one_letter_of_it_changed_is_refused(kind, data):
    """Wherever the CRM puts it: what differs between the request as it is signed and the bare one is the proof."""
    sample = next(sample for sample in SAMPLES if sample.kind == kind)
    adapter = sample.source
    genuine = sample.delivery(adapter)
    (secret,) = setup(kind)["settings"]["secret"][:1]
    proofs = [name for name, value in genuine.headers.items() if name not in {"content-type", *map(str.lower, sample.headers)} and value]
    where = data.draw(st.sampled_from([*proofs, *(["url"] if quote(secret, safe="") in genuine.url else [])] or ["none"]))
    if where == "none":
        return  # it is in the body alone, which the tests of that kind change
    written = genuine.url if where == "url" else genuine.headers[where]
    first = written.index("token=") + 6 if where == "url" else 0
    place = data.draw(st.integers(first, len(written) - 1))
    letter = data.draw(st.sampled_from("0aZ~").filter(lambda letter: letter.lower() != written[place].lower()))
    forged = written[:place] + letter + written[place + 1 :]
    changed = replace(genuine, url=forged) if where == "url" else replace(genuine, headers={**genuine.headers, where: forged})

    with pytest.raises(Unverified):
        adapter.verify(changed, NOW)


@each_sample
def test_what_nobody_signed_is_refused(sample):
    headers = {"content-type": sample.content_type, **sample.headers}
    body = setup(sample.kind).get("unsigned_body", "").encode() or sample.body

    with pytest.raises(Unverified):
        sample.source.verify(Delivery(source="crm", body=body, url=URL, received_at=NOW, headers=headers), NOW)


@each_sample
def test_nothing_secret_survives_into_what_is_kept(sample):
    adapter = sample.source
    delivery = sample.delivery(adapter)
    kept = adapter.storable(delivery)
    secrets = [*adapter.secrets, *setup(sample.kind).get("secrets_in_bodies", [])]

    stored = repr(kept) + repr([event.document() for event in adapter.parse(delivery) if isinstance(event, Event)])

    assert [secret for secret in secrets if secret in stored or quote(secret, safe="") in stored] == []
    assert kept.headers.get("authorization", "***") == "***"


@each_sample
def test_what_is_kept_can_be_read_again_to_the_same_events(sample):
    adapter = sample.source
    delivery = sample.delivery(adapter)

    assert adapter.parse(adapter.storable(delivery)) == adapter.parse(delivery)


@each_kind
def test_the_manual_says_how_to_connect_it(kind):
    manual = kinds()[kind].manual

    assert manual.where
    assert manual.proof
    assert manual.secret


@each_sample
def test_a_wrong_secret_is_refused(sample):
    stranger = source(sample.kind, secret=setup(sample.kind)["wrong_secret"])

    with pytest.raises(Unverified) as refused:
        sample.source.verify(sample.delivery(stranger), NOW)

    assert refused.value.refusal in {Refusal.WRONG_SECRET, Refusal.WRONG_SIGNATURE}


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if "time" in sample.signs], ids=str)
@pytest.mark.parametrize(("late", "refusal"), [(301, Refusal.STALE), (-301, Refusal.FUTURE)])
def test_a_time_too_far_from_now_is_refused(sample, late, refusal):
    delivery = sample.delivery(sample.source)

    with pytest.raises(Unverified) as refused:
        sample.source.verify(delivery, NOW + timedelta(seconds=late))

    assert refused.value.refusal is refusal


@each_sample
def test_while_secrets_rotate_both_are_good(sample):
    new = setup(sample.kind)["wrong_secret"]
    (old,) = setup(sample.kind)["settings"]["secret"]
    adapter = source(sample.kind, secret=[new, old])

    adapter.verify(sample.delivery(source(sample.kind, secret=new)), NOW)
    adapter.verify(sample.delivery(source(sample.kind, secret=old)), NOW)


@each_sample
def test_without_a_secret_nobody_is_believed(sample):
    with pytest.raises(Unverified) as refused:
        source(sample.kind, secret=()).verify(sample.delivery(sample.source), NOW)

    assert refused.value.refusal is Refusal.NO_SECRET


@each_kind
def test_a_refusal_does_not_tell_the_secret(kind):
    adapter = source(kind)
    (secret,) = setup(kind)["settings"]["secret"]
    sample = next(sample for sample in SAMPLES if sample.kind == kind)
    forged = sample.delivery(source(kind, secret=setup(kind)["wrong_secret"]))

    with pytest.raises(Unverified) as refused:
        adapter.verify(forged, NOW)

    assert secret not in str(refused.value)
    assert secret not in repr(adapter.settings)


@each_sample
def test_the_events_are_those_expected(sample):
    events = sample.source.parse(sample.delivery(sample.source))

    assert [(event.id, event.fact) for event in events] == [(wanted["id"], wanted["fact"]) for wanted in sample.expected["events"]]
    for event, wanted in zip(events, sample.expected["events"], strict=True):
        document = event.document()
        assert {name: document.get(name) for name in TOLD} == {name: wanted["event"].get(name) for name in TOLD}
        assert document["fields"].items() >= wanted["event"].get("fields", {}).items()
        assert (document["source"], document["kind"], document["received_at"]) == ("crm", sample.kind, "2026-11-23T08:40:00Z")


@each_sample
def test_reading_twice_gives_the_same_keys(sample):
    adapter = sample.source

    assert keys_of(adapter.parse(sample.delivery(adapter))) == keys_of(sample.source.parse(sample.delivery(adapter)))


@each_sample
def test_a_redelivery_gives_the_same_keys(sample):
    adapter = sample.source
    changes = sample.expected.get("volatile", setup(sample.kind)["volatile"])
    again = redelivered(sample, changes) if changes else sample.body
    later = NOW + timedelta(hours=3)
    redelivery = sample.delivery(adapter, again, at=later)

    adapter.verify(redelivery, later)

    assert again != sample.body or not changes
    assert keys_of(adapter.parse(redelivery)) == keys_of(adapter.parse(sample.delivery(adapter)))


@each_kind
def test_who_tells_stages_and_looks_up_says_where_the_stage_of_today_stands(kind):
    adapter = kinds()[kind]
    told = {event["event"]["type"] for sample in SAMPLES if sample.kind == kind for event in sample.expected["events"]}

    if adapter.look_up is not Source.look_up and any(each.endswith(".stage_changed") for each in told):
        assert adapter.stage_fields or adapter.stage_now is not Source.stage_now


def redelivered(sample: Sample, changes: dict[str, Any]) -> bytes:
    media_type = sample.content_type.partition(";")[0]
    if media_type == FORM:
        return urlencode([(name, str(changes.get(name, value))) for name, value in parse_qsl(sample.body.decode(), keep_blank_values=True)]).encode()
    if media_type.endswith("xml"):  # there, what changes is given as patterns
        changed = sample.body.decode()
        for pattern, value in changes.items():
            changed = re.sub(pattern, value, changed)
        return changed.encode()
    return json.dumps(with_changes(json.loads(sample.body), changes)).encode()


def with_changes(value: Any, changes: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [with_changes(item, changes) for item in value]
    if isinstance(value, dict):
        return {name: changes[name] if name in changes else with_changes(item, changes) for name, item in value.items()}
    return value


@each_kind
def test_different_events_have_different_ids(kind):
    samples = [sample for sample in SAMPLES if sample.kind == kind and not sample.same_event_as]
    ids = [event.id for sample in samples for event in sample.source.parse(sample.delivery(sample.source))]

    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.same_event_as], ids=str)
def test_one_event_told_in_two_forms_has_the_same_keys(sample):
    (other,) = (other for other in SAMPLES if other.kind == sample.kind and other.name == sample.same_event_as)

    assert keys_of(sample.source.parse(sample.delivery(sample.source))) == keys_of(other.source.parse(other.delivery(other.source)))


@each_sample
def test_every_key_fits_the_header_it_travels_in(sample):
    for event in sample.source.parse(sample.delivery(sample.source)):
        key = cancel_key(event_key("a-source-with-a-long-name", event.id))

        assert len(key) <= LONGEST
        assert all("!" <= char <= "~" for char in key)


@each_sample
def test_an_event_survives_the_ledger(sample):
    for event in sample.source.parse(sample.delivery(sample.source)):
        stored = json.loads(json.dumps(event.document()))

        restored = Event.from_document(stored, event.fact, event.window, forget=event.forget)
        assert restored == replace(event, absorbed=())  # what was merged is acted on when it is accepted, and not kept


@each_sample
def test_a_deleted_record_is_not_looked_up(sample):
    adapter = source(sample.kind, **{**sample.expected.get("settings", {}), "api_token": setup(sample.kind).get("api_token", "token")})

    for event in adapter.parse(sample.delivery(adapter)):
        assert not (event.type.endswith(".deleted") and adapter.can_look_up(event))


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["2026-11-23T08:40:00Z", "won", "+12813322575"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def parsed_or_refused(adapter: Source, delivery: Delivery) -> Sequence[Event | Unparsed]:
    try:
        return adapter.parse(delivery)
    except Unreadable as unreadable:
        refused = unreadable
    assert refused.message
    return []


def read_or_refused(adapter: Source, sample: Sample, body: bytes, content_type: str | None = None) -> None:
    """Whatever comes of a body, it is events that can be stored, or a refusal that names what is wrong."""
    headers = {**sample.delivery(adapter).headers, "content-type": content_type or sample.content_type}
    delivery = Delivery(source="crm", body=body, url=URL, received_at=NOW, headers=headers)
    for event in parsed_or_refused(adapter, delivery):
        assert event.id
        if isinstance(event, Event):
            stored = json.loads(json.dumps(event.document(), allow_nan=False).encode())
            assert Event.from_document(stored, event.fact, event.window, forget=event.forget) == replace(event, absorbed=())
            event.fact.encode()


@each_sample
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_body_cut_short_is_read_or_refused(sample, data):
    place = data.draw(st.integers(0, len(sample.body)))

    read_or_refused(sample.source, sample, sample.body[:place])


@each_kind
@settings(max_examples=50, deadline=None)
@given(body=st.binary(max_size=60) | any_json.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused(kind, body):
    sample = next(sample for sample in SAMPLES if sample.kind == kind)

    read_or_refused(sample.source, sample, body)
    read_or_refused(source(kind), sample, body, FORM)
    read_or_refused(source(kind), sample, b"<a>" + body + b"</a>", "application/xml")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from places(child, (*path, name))


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.content_type.endswith("json")], ids=str)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_body_with_anything_anywhere_is_read_or_refused(sample, data):
    body = json.loads(sample.body)
    path = data.draw(st.sampled_from(list(places(body))))
    changed = replaced(copy.deepcopy(body), path, data.draw(any_json))

    read_or_refused(sample.source, sample, json.dumps(changed).encode())


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    document[path[0]] = replaced(document[path[0]], path[1:], value)
    return document


@each_kind
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_header_brings_a_verification_down(kind, data):
    adapter = source(kind)
    values = st.text(st.characters(codec="latin-1"), max_size=30)
    names = sorted(name.lower() for name in adapter.sign(b"{}", URL, NOW).headers)
    forged = data.draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys(names, values | st.sampled_from(["Basic YTpi", "Bearer x", "v1,AAAA", "9" * 14])))
    )

    with pytest.raises(Unverified):
        adapter.verify(Delivery(source="crm", body=b"{}", url=URL, received_at=NOW, headers=forged), NOW)


@each_kind
@pytest.mark.parametrize("body", [b"\xed\xa0\x80", b'{"type": "\\ud800"}', b'["\xed\xa0\x80"]', b"[" * 100_000, b'{"a":' * 400 + b"1" + b"}" * 400])
def test_a_body_made_to_hurt_is_read_or_refused(kind, body):
    sample = next(sample for sample in SAMPLES if sample.kind == kind)

    read_or_refused(sample.source, sample, body)
