"""Standard Webhooks: the published vectors and the cases that must fail, what a payload means, both keys."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Stage
from bridge.sources.standard_webhooks import StandardWebhooks, StandardWebhooksSettings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "standard_webhooks"
SHARED = json.loads((FIXTURES / "vector_hmac_v1.json").read_text())
PUBLIC = json.loads((FIXTURES / "vector_ed25519_v1a.json").read_text())
NEGATIVE = json.loads((FIXTURES / "negative_cases.json").read_text())
SIGNED_AT = datetime.fromtimestamp(SHARED["webhook-timestamp"], UTC)
OTHER_SECRET = "whsec_d3JvbmcgYnV0IGxvbmcgZW5vdWdoIQ=="
PHONE, MOBILE = "+12813322575", "+12813322576"


def standard(**settings) -> StandardWebhooks:
    return StandardWebhooks(
        "billing", StandardWebhooksSettings(**{"kind": "standard_webhooks", "secret": SHARED["secret"], "region": "US", **settings})
    )


def delivery(vector: dict, *, prefix: str = "webhook", **changes: str | None) -> Delivery:
    """The request of a published vector; a header that is changed to None is left out."""
    told = {"webhook-signature": vector.get("expected_signature"), **vector, **changes}
    names = ("id", "timestamp", "signature")
    headers = {f"{prefix}-{name}": str(told[f"webhook-{name}"]) for name in names if told[f"webhook-{name}"] is not None}
    return Delivery(source="billing", body=told["body"].encode(), url="", received_at=SIGNED_AT, headers=headers)


def refusal(source: StandardWebhooks, given: Delivery, now: datetime = SIGNED_AT) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(given, now)
    return refused.value.refusal


VECTORS = {"v1": (SHARED, SHARED["secret"]), "v1a": (PUBLIC, PUBLIC["public_key"])}
each_vector = pytest.mark.parametrize(("vector", "secret"), VECTORS.values(), ids=VECTORS)


# Signatures.


@each_vector
@pytest.mark.parametrize("prefix", ["webhook", "svix"])
def test_a_published_signature_is_believed_under_either_name(vector, secret, prefix):
    standard(secret=secret).verify(delivery(vector, prefix=prefix), SIGNED_AT)


@each_vector
@given(data=st.data())
def test_a_byte_anywhere_else_is_refused(vector, secret, data):
    what = data.draw(st.sampled_from(["body", "webhook-id", "webhook-timestamp"]))
    written = str(vector[what])
    place = data.draw(st.integers(0, len(written) - 1))
    other = data.draw(st.sampled_from("0123456789").filter(lambda char: char != written[place]))

    assert refusal(standard(secret=secret), delivery(vector, **{what: written[:place] + other + written[place + 1 :]})) is Refusal.WRONG_SIGNATURE


@each_vector
def test_another_key_is_refused(vector, secret):
    other = OTHER_SECRET if secret == SHARED["secret"] else "whpk_" + base64.b64encode(_public(Ed25519PrivateKey.generate())).decode()

    assert refusal(standard(secret=other), delivery(vector)) is Refusal.WRONG_SIGNATURE


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@pytest.mark.parametrize("given", [case for case in NEGATIVE["must_fail"] if "than" not in case["why"]], ids=lambda case: case["why"])
def test_what_must_fail_fails(given):
    changed = {name: value for name, value in given.items() if name != "why"}
    missing = given["why"].removeprefix("missing ").removesuffix(" header") if given["why"].startswith("missing") else None
    changed |= {missing: None} if missing else {}

    assert refusal(standard(), delivery(SHARED, **changed)) is (Refusal.WRONG_SIGNATURE if "character" in given["why"] else Refusal.MISSING)


@pytest.mark.parametrize("timestamp", [*NEGATIVE["sign_must_reject_timestamp"], "", " ", "1614265330e0", "٣", "9" * 12])
def test_a_timestamp_that_is_no_whole_number_of_seconds_is_refused(timestamp):
    assert refusal(standard(), delivery(SHARED, **{"webhook-timestamp": timestamp})) is Refusal.MISSING


@each_vector
@pytest.mark.parametrize(("late", "expected"), [(301, Refusal.STALE), (-301, Refusal.FUTURE)])
def test_a_signature_is_good_for_five_minutes_either_way(vector, secret, late, expected):
    source = standard(secret=secret)

    source.verify(delivery(vector), SIGNED_AT + timedelta(seconds=300))
    source.verify(delivery(vector), SIGNED_AT - timedelta(seconds=300))
    assert refusal(source, delivery(vector), SIGNED_AT + timedelta(seconds=late)) is expected


def test_one_signature_of_a_list_is_enough_and_unknown_versions_are_passed_over():
    standard().verify(delivery(SHARED, **{"webhook-signature": NEGATIVE["must_pass_multi_signature"]}), SIGNED_AT)


@pytest.mark.parametrize("signature", ["v2,{}", "v1{}", "{}", "v1a,{}", "v1,", "v1,,{}", "V1,{}"])
def test_a_right_signature_under_a_wrong_version_is_refused(signature):
    value = SHARED["expected_signature"].removeprefix("v1,")

    assert refusal(standard(), delivery(SHARED, **{"webhook-signature": signature.format(value)})) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("version", ["v1", "v2", ""])
def test_a_right_signature_of_a_public_key_under_a_wrong_version_is_refused(version):
    renamed = PUBLIC["expected_signature"].replace("v1a", version)

    assert refusal(standard(secret=PUBLIC["public_key"]), delivery(PUBLIC, **{"webhook-signature": renamed})) is Refusal.WRONG_SIGNATURE


def test_the_text_of_the_secret_is_not_its_key():
    message = f"{SHARED['webhook-id']}.{SHARED['webhook-timestamp']}.{SHARED['body']}".encode()
    mistaken = base64.b64encode(hmac.digest(SHARED["secret"].encode(), message, hashlib.sha256)).decode()

    assert refusal(standard(), delivery(SHARED, **{"webhook-signature": f"v1,{mistaken}"})) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "secrets", [[OTHER_SECRET, SHARED["secret"]], [PUBLIC["public_key"], SHARED["secret"]], [SHARED["secret"], PUBLIC["public_key"]]]
)
def test_while_secrets_are_rotated_each_is_good_of_whatever_kind(secrets):
    standard(secret=secrets).verify(delivery(SHARED), SIGNED_AT)


def test_a_public_key_is_no_shared_secret():
    key = PUBLIC["public_key"].removeprefix("whpk_")
    message = f"{SHARED['webhook-id']}.{SHARED['webhook-timestamp']}.{SHARED['body']}".encode()
    forged = base64.b64encode(hmac.digest(base64.b64decode(key), message, hashlib.sha256)).decode()

    assert refusal(standard(secret=PUBLIC["public_key"]), delivery(SHARED, **{"webhook-signature": f"v1,{forged}"})) is Refusal.WRONG_SIGNATURE


def test_an_id_with_a_dot_is_refused_because_two_requests_would_sign_alike(now, delivered):
    source, body = standard(), '.{"type": "contact.created"}'
    genuine = source.sign(f"1{body}".encode(), "", now).headers
    shifted = genuine | {"webhook-id": f"{genuine['webhook-id']}.{genuine['webhook-timestamp']}", "webhook-timestamp": "1"}

    assert refusal(source, delivered(body, shifted), now) is Refusal.WRONG_SIGNATURE
    with pytest.raises(Unverified, match="dot"):
        source.verify(delivered(body, shifted), now)


def test_the_headers_of_the_two_families_are_not_mixed():
    mixed = delivery(SHARED)
    mixed.headers["svix-id"] = "msg_another"
    only_id = Delivery(source="billing", body=mixed.body, url="", received_at=SIGNED_AT, headers={**mixed.headers, "webhook-id": ""})

    standard().verify(mixed, SIGNED_AT)
    assert standard().parse(mixed)[0].id == SHARED["webhook-id"]
    assert refusal(standard(), only_id) is Refusal.MISSING


@pytest.mark.parametrize("encoded", NEGATIVE["secrets_with_missing_padding_must_work"])
@pytest.mark.parametrize("prefix", ["whsec_", ""])
def test_a_secret_may_lack_its_prefix_and_its_padding(encoded, prefix, delivered, now):
    padded = f"whsec_{encoded + '=' * (-len(encoded) % 4)}"
    headers = standard(secret=padded).sign(b"{}", "", now).headers

    standard(secret=prefix + encoded).verify(delivered("{}", headers), now)


@pytest.mark.parametrize("secret", [*NEGATIVE["secrets_that_must_be_rejected"], "whsec_not base64!", "whpk_AAAA", "whsec_A"])
def test_a_secret_that_is_none_is_refused_by_the_configuration(secret):
    with pytest.raises(ValidationError, match="whsec_"):
        standard(secret=secret)


def test_nobody_can_sign_with_a_public_key(now):
    with pytest.raises(Unverified) as refused:
        standard(secret=PUBLIC["public_key"]).sign(b"{}", "", now)

    assert refused.value.refusal is Refusal.NO_SECRET
    assert standard(secret=[PUBLIC["public_key"], SHARED["secret"]]).sign(b"{}", "", now).headers["webhook-signature"].startswith("v1,")


# What a payload means.


def payload(kind: str | None = "contact.created", *, timestamp: object = "2026-11-23T08:40:00.123456Z", **data) -> dict:
    return {"type": kind, "timestamp": timestamp, "data": data}


SENT_AS = {"webhook-id": "msg_1"}


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("contact.created", {"id": 7}, Entity("contact", "7")),
        ("crm.contact.created", {"id": "7"}, Entity("contact", "7")),
        ("deal.stage_changed", {"objectId": "7"}, Entity("deal", "7")),
        ("deal.stage.changed", {"id": "7"}, Entity("deal", "7")),
        ("crm.deal.stage.changed", {"id": "7"}, Entity("deal", "7")),
        ("lead.status.updated", {"id": "7"}, Entity("lead", "7")),
        ("account.contact.created", {"id": "7"}, Entity("contact", "7")),
        ("invoice.paid", {"invoice_id": "7"}, Entity("invoice", "7")),
        ("subscription.renewed", {"subscriptionId": 7}, Entity("subscription", "7")),
        ("created", {"id": "7", "type": "contact"}, Entity("contact", "7")),
        ("created", {"id": "7", "object": "deal"}, Entity("deal", "7")),
        ("created", {"id": "7"}, None),
        ("contact.created", {"id": " "}, None),
        ("contact.created", {}, None),
        (None, {"id": "7"}, None),
    ],
)
def test_the_record_is_named_by_the_type_and_its_id(kind, data, expected, read):
    event = read(standard(), payload(kind, **data), headers=SENT_AS)

    assert event.entity == expected
    assert event.refs[:1] == ((expected.ref,) if expected else ())


@pytest.mark.parametrize(
    ("told", "expected"),
    [("contact.created", "contact.created"), ("Anything At All", "Anything At All"), (None, "unknown"), ("", "unknown"), (7, "7")],
)
def test_the_type_is_the_senders_own(told, expected, read):
    assert read(standard(), payload(told), headers=SENT_AS).type == expected


@pytest.mark.parametrize(
    "data",
    [
        {"phone": "(281) 332-2575"},
        {"phoneNumber": PHONE},
        {"phone_number": "281-332-2575"},
        {"mobilePhone": PHONE},
        {"phones": [PHONE]},
        {"phones": [{"value": PHONE}]},
        {"phoneNumbers": [{"number": PHONE, "type": "mobile"}]},
        {"phone": None, "mobile": PHONE},
        {"phone": "", "phones": [{"value": ""}, None, {"phone": PHONE}]},
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_number_is_found_where_senders_put_it(data, nested, read):
    event = read(standard(), payload("contact.created", **({"contact": data} if nested else data)), headers=SENT_AS)

    assert (event.contact.phone, event.contact.phones) == (PHONE, (PHONE,))
    assert event.refs[-1] == f"phone:{PHONE}"


@pytest.mark.parametrize("data", [{"phone": [[PHONE]]}, {"phones": {"main": PHONE}}, {"phone": True}, {"phone": {}}])
def test_what_is_no_number_is_none(data, read):
    assert read(standard(), payload("contact.created", **data), headers=SENT_AS).contact is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"fullName": "Alex Doe", "emailAddress": "a@example.com"}, Contact(id="7", name="Alex Doe", email="a@example.com")),
        ({"first_name": "Alex", "last_name": "Doe", "timezone": "Europe/Berlin"}, Contact(id="7", name="Alex Doe", time_zone="Europe/Berlin")),
        ({"firstName": "Alex", "lastName": None}, Contact(id="7", name="Alex")),
        ({"name": " "}, Contact(id="7")),
    ],
)
def test_a_person_is_read_in_several_spellings(data, expected, read):
    assert read(standard(), payload("contact.created", id="7", **data), headers=SENT_AS).contact == expected


def test_the_name_of_a_deal_is_nobodys(read):
    event = read(standard(), payload("deal.created", id="8", name="A deal", email="sales@example.com", contact_id=7), headers=SENT_AS)

    assert event.contact == Contact(id="7")
    assert event.refs == ("deal:8", "contact:7")


@pytest.mark.parametrize("nested", ["contact", "person", "customer", "lead"])
def test_the_person_of_a_deal_is_the_one_inside(nested, read):
    event = read(standard(), payload("deal.created", id="8", **{nested: {"id": 7, "name": "Alex", "phone": PHONE}}), headers=SENT_AS)

    assert event.contact == Contact(id="7", name="Alex", phone=PHONE, phones=(PHONE,))
    assert event.refs == ("deal:8", "contact:7", f"phone:{PHONE}")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"stage": {"from": "new", "to": "won"}}, Stage(after="won", before="new")),
        ({"stage": "won"}, Stage(after="won")),
        ({"stage_id": 5}, Stage(after="5")),
        ({"stage": {}}, None),
        ({"stage": None}, None),
        ({}, None),
    ],
)
def test_a_stage_is_a_move_or_the_new_one_alone(data, expected, read):
    assert read(standard(), payload("deal.stage_changed", id="8", **data), headers=SENT_AS).stage == expected


@pytest.mark.parametrize("told", [None, "", "yesterday", 0])
def test_a_time_that_is_not_told_is_absent(told, read):
    assert read(standard(), payload(timestamp=told, id="7"), headers=SENT_AS).occurred_at is None


def test_the_data_are_the_fields(read):
    assert read(standard(), payload(id="7", plan="gold"), headers=SENT_AS).fields == {"id": "7", "plan": "gold"}


@pytest.mark.parametrize("data", [None, [], "text", 7])
def test_a_payload_without_data_is_an_event_all_the_same(data, read):
    event = read(standard(), {"type": "contact.created", "data": data}, headers=SENT_AS)

    assert (event.type, event.entity, event.fields) == ("contact.created", None, {})


@pytest.mark.parametrize("body", ["", "[]", "null", "7", "{", "<html>"])
def test_what_is_no_object_is_unreadable(body, delivered):
    with pytest.raises(Unreadable):
        standard().parse(delivered(body, SENT_AS))


# Both keys.


def test_a_retry_keeps_its_id_whatever_else_its_headers_say(read):
    first = read(standard(), payload(id="7"), headers=SENT_AS | {"webhook-timestamp": "1", "webhook-signature": "v1,a"})
    again = read(standard(), payload(id="7"), headers=SENT_AS | {"webhook-timestamp": "2", "webhook-signature": "v1,b"})

    assert (first.id, first.fact) == (again.id, again.fact)
    assert first.id == "msg_1"


def test_one_fact_under_two_ids_is_one_fact(read):
    one, other = (read(standard(), payload(id="7"), headers={"svix-id": number}) for number in ("msg_1", "msg_2"))

    assert one.id != other.id
    assert one.fact == other.fact


@pytest.mark.parametrize(
    "other",
    [
        payload(id="8"),
        payload("contact.updated", id="7"),
        payload(id="7", timestamp="2026-11-23T08:40:00.124Z"),
        payload(id="7", stage="won"),
        payload("lead.created", id="7"),
    ],
)
def test_another_fact_is_another(other, read):
    assert read(standard(), payload(id="7"), headers=SENT_AS).fact != read(standard(), other, headers=SENT_AS).fact


@pytest.mark.parametrize("body", [payload(timestamp=None, id="7"), payload(None, id="7"), payload()])
def test_a_fact_that_is_not_told_whole_is_merged_with_no_other(body, read):
    one, other = (read(standard(), body, headers={"webhook-id": number}) for number in ("msg_1", "msg_2"))

    assert one.fact != other.fact


def test_without_an_id_an_event_is_known_by_its_body(delivered):
    one, again, other = (standard().parse(delivered(body))[0].id for body in ('{"a": 1}', '{"a": 1}', '{"a": 2}'))

    assert one == again != other


def test_two_numbers_of_one_person_are_both_known(read):
    event = read(standard(), payload("contact.created", id="7", phone="no number", mobile=[MOBILE]), headers=SENT_AS)

    assert (event.contact.phone, event.contact.phones) == (MOBILE, ("no number", MOBILE))
