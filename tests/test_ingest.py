"""Taking deliveries in: what is promised whatever arrives, in whatever form and however often."""

import base64
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.deciding import Policy
from bridge.errors import LedgerUnavailable, Unreadable, Unverified
from bridge.ingest import Ingest
from bridge.ledger import Ledger, Retention, connect
from bridge.model import Delivery, Status
from bridge.rules import Rule
from bridge.sources import kinds

NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
DAY = 86_400_000
KEPT = Retention(dedup=30 * DAY, done=30 * DAY, failed=90 * DAY, ignored=DAY)
RULES = tuple(
    Rule.model_validate(rule)
    for rule in (
        {"name": "stop", "on": "*.deleted", "cancel": {}},
        {
            "name": "call",
            "on": ["*.created", "lead.*"],
            "where": "contact.phone",
            "call": {"campaign": "welcome", "payload": {"who": "contact.name"}},
        },
    )
)
NAMES = st.sampled_from(
    ["event_id", "type", "id", "meta", "data", "current", "previous", "entity", "objectId", "subscriptionType", "occurredAt", "timestamp", "phone"]
)
WORDS = st.sampled_from(["lead.created", "deal.deletion", "contact.creation", "person", "change", "2026-11-23T08:40:00Z", "+12813322575", "7"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5),
    max_leaves=12,
)
BODIES = st.one_of(VALUES.map(lambda value: json.dumps(value).encode()), st.binary(max_size=60))
keep_going = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


def source(kind):
    return kinds()[kind]("crm", kinds()[kind].settings_type.model_validate({"kind": kind, "insecure": True, "region": "US"}))


def ingest_of(redis, kind):
    return Ingest(sources={"crm": source(kind)}, policy=Policy(rules=RULES), ledger=Ledger(redis, KEPT), clock=lambda: NOW)


def delivery(body, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(
        source="crm", body=raw, url="http://bridge/webhooks/crm", received_at=NOW, headers={"content-type": "application/json", **headers}
    )


@pytest.fixture
def empty(redis):
    """Empties the ledger between the examples of one test too."""
    return lambda: redis.flushdb() and redis


@pytest.mark.parametrize("kind", [kind for kind, adapter in kinds().items() if not adapter.strict])
@keep_going
@given(body=BODIES)
def test_whatever_a_crm_sends_is_in_the_ledger_as_it_was_receipted(empty, kind, body):
    ingest = ingest_of(empty(), kind)

    receipts = ingest.take(delivery(body))

    entries = {receipt.key: ingest.ledger.entry(receipt.key) for receipt in receipts}
    first = {receipt.key: receipt.status for receipt in reversed(receipts)}
    assert {key: entry.status for key, entry in entries.items()} == first
    assert ingest.ledger.unfinished().keys() == {key for key, entry in entries.items() if not entry.status.finished}


@keep_going
@given(body=BODIES)
def test_whatever_a_generic_sender_sends_is_taken_whole_or_refused_whole(empty, body):
    redis = empty()
    ingest = ingest_of(redis, "generic")

    try:
        keys = {receipt.key for receipt in ingest.take(delivery(body))}
    except Unreadable:
        keys = set()

    assert set(redis.keys("*:event:*")) == {f"callbridge:1:event:{key}" for key in keys}


@keep_going
@given(body=st.binary(min_size=1, max_size=200))
def test_a_body_is_kept_to_the_byte(empty, body):
    ingest = ingest_of(empty(), "hubspot")

    receipts = ingest.take(delivery(body))

    for receipt in receipts:
        kept = ingest.ledger.delivery(ingest.ledger.entry(receipt.key).delivery)
        assert (base64.b64decode(kept["body"]) if kept["encoding"] == "base64" else kept["body"].encode()) == body


@keep_going
@given(numbers=st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_in_whatever_batches_events_come_each_is_taken_once(empty, numbers):
    ingest = ingest_of(empty(), "generic")
    batches = [numbers[:5], numbers[5:], numbers]

    receipts = [
        receipt
        for batch in batches
        for receipt in ingest.take(delivery([{"event_id": str(number), "type": "lead.created", "phone": "+12813322575"} for number in batch]))
    ]

    assert Counter(receipt.status for receipt in receipts)[Status.QUEUED] == len(set(numbers))
    assert [receipt.id for receipt in receipts] == [str(number) for batch in batches for number in batch]


def test_at_the_same_moment_from_many_threads_one_is_taken_and_the_rest_are_duplicates(redis_url):
    def take(_):
        with connect(redis_url) as redis:
            (receipt,) = ingest_of(redis, "generic").take(delivery({"event_id": "1", "type": "lead.created", "phone": "+12813322575"}))
        return receipt.status

    with ThreadPoolExecutor(8) as threads:
        statuses = Counter(threads.map(take, range(31)))

    assert statuses == {"queued": 1, "duplicate": 30}


def test_what_may_cancel_is_served_first_and_an_ignored_event_not_at_all(redis):
    ingest = ingest_of(redis, "generic")

    ingest.take(delivery([{"event_id": word, "type": f"lead.{word}", "phone": "+12813322575"} for word in ("created", "deleted")]))
    ingest.take(delivery({"event_id": "other", "type": "other"}))

    assert redis.zrange("callbridge:1:due:first", 0, -1) == ["crm:deleted"]
    assert redis.zrange("callbridge:1:due:normal", 0, -1) == ["crm:created"]


def test_the_bell_rings_for_what_is_due_and_for_nothing_else(redis):
    ingest = ingest_of(redis, "generic")

    ingest.take(delivery({"event_id": "other", "type": "other"}))
    assert redis.llen("callbridge:1:wake") == 0

    ingest.take(delivery({"event_id": "1", "type": "lead.created", "phone": "+12813322575"}))
    assert redis.llen("callbridge:1:wake") == 1


def test_how_long_a_record_is_kept_depends_on_what_became_of_it(redis):
    ingest = ingest_of(redis, "hubspot")
    body = [{"no": "type"}, {"subscriptionType": "deal.creation", "objectId": 1}]

    failed, ignored = ingest.take(delivery(body))

    ends = redis.zscore("callbridge:1:ends", failed.key), redis.zscore("callbridge:1:ends", ignored.key)
    days = {receipt.status: round((end - NOW.timestamp() * 1000) / DAY) for receipt, end in zip((failed, ignored), ends, strict=True)}
    assert days == {"failed": 90, "ignored": 1}
    assert round(redis.pttl(f"callbridge:1:seen:{ignored.key}") / DAY) == 30


def test_a_source_that_is_not_insecure_and_has_no_secret_fails_closed(redis):
    adapter = kinds()["generic"]
    closed = adapter("crm", adapter.settings_type(kind="generic"))
    ingest = replace(ingest_of(redis, "generic"), sources={"crm": closed})

    with pytest.raises(Unverified):
        ingest.take(delivery({"event_id": "1", "type": "lead.created"}, authorization="Bearer "))


def test_without_redis_nothing_is_promised():
    with connect("unix:///nowhere/redis.sock") as redis, pytest.raises(LedgerUnavailable):
        ingest_of(redis, "generic").take(delivery({"event_id": "1", "type": "lead.created"}))
