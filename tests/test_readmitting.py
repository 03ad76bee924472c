"""What was refused is taken in once its secret is mended: by its own proof, once, and never a forged one."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bridge.deciding import Policy
from bridge.errors import Unverified
from bridge.ingest import Ingest
from bridge.ledger import Ledger, Refusals, Retention
from bridge.model import Delivery
from bridge.readmitting import Readmitting, Verdict
from bridge.rules import Rule
from bridge.sources import kinds
from bridge.sources.base import HIDDEN
from bridge.sources.bodies import form_fields
from bridge.sources.values import spellings

FIXTURES = Path(__file__).parent / "fixtures"
FORM = "application/x-www-form-urlencoded"
NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
URL = "https://bridge.example.com/webhooks/crm"
DAY = 86_400_000
KEPT = Retention(dedup=30 * DAY, done=30 * DAY, failed=90 * DAY, ignored=DAY)
RULES = (Rule.model_validate({"name": "call", "on": "*.created", "call": {"campaign": "welcome"}}),)
LEAD = json.dumps({"event_id": "lead-7", "type": "lead.created", "phone": "+12813322575"}).encode()


class Bridge:
    """One source, whose secret can be mended; time stands still."""

    def __init__(self, redis, kind, settings):
        self.redis, self.kind, self.settings = redis, kind, settings
        self.refusals = Refusals(redis)
        self.now = NOW

    def configured(self, **changes):
        adapter = kinds()[self.kind]
        source = adapter("crm", adapter.settings_type(kind=self.kind, **{**self.settings, **changes}))
        return Ingest(sources={"crm": source}, policy=Policy(rules=RULES), ledger=Ledger(self.redis, KEPT), clock=lambda: self.now)

    def readmitting(self, **changes):
        return Readmitting(self.configured(**changes), self.refusals)

    def delivery(self, body=LEAD, content_type="application/json", **changes):
        """Signed with the secret that the CRM has."""
        signed = self.configured(**changes).sources["crm"].sign(body, URL, NOW)
        headers = {"content-type": content_type, **{name.lower(): value for name, value in signed.headers.items()}}
        return Delivery(source="crm", body=signed.body, url=signed.url, received_at=NOW, headers=headers)

    def refuse(self, delivery, **changes):
        with pytest.raises(Unverified):
            self.configured(**changes).take(delivery)
        return self.refusals.of("crm")[0]


def settings_of(kind):
    return json.loads((FIXTURES / kind / "source.json").read_text())


def body_of(kind):
    """The first captured body of a kind, as it is sent."""
    expected = min((FIXTURES / kind).glob("*.expected.json"))
    name = expected.name.removesuffix(".expected.json")
    meta = json.loads(expected.with_name(f"{name}.meta.json").read_text())
    (held_in,) = (file for file in expected.parent.glob(f"{name}.*") if file.name.count(".") == 1)
    body = held_in.read_bytes()
    if meta["content_type"] == FORM and held_in.suffix == ".json":
        body = urlencode(list(form_fields(json.loads(body)))).encode()
    if not meta.get("is_full_request_body", True):
        body = b"[" + body + b"]"
    return body, meta["content_type"], json.loads(expected.read_text())


def another(secret):
    """A secret of the same form."""
    place = len(secret) - 4
    return f"{secret[:place]}{'b' if secret[place] != 'b' else 'c'}{secret[place + 1 :]}"


@pytest.fixture
def signed(redis):
    """A source whose sender signs."""
    return Bridge(redis, "standard_webhooks", {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})


WRONG = {"secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_keeps_no_secret_and_takes_in_after_the_mend_what_can_be_proved(kind, redis):
    setup = settings_of(kind)
    body, content_type, expected = body_of(kind)
    bridge = Bridge(redis, kind, {**setup["settings"], **expected.get("settings", {})})
    right = bridge.settings["secret"]
    wrong = [another(each) for each in ([right] if isinstance(right, str) else right)]
    request = bridge.refuse(bridge.delivery(body, content_type), secret=wrong)

    presented = [form for secret in ([right] if isinstance(right, str) else right) for form in spellings(secret)]
    assert [form for form in presented if form in request.written] == []

    done = bridge.readmitting().readmit(request)

    by_signature = "body" in expected.get("signs", setup["signs"])
    assert done.verdict is (Verdict.TAKEN if by_signature else Verdict.UNPROVABLE), done.told
    assert bool(done.receipts) is by_signature
    assert len(bridge.refusals.of("crm")) == (0 if by_signature else 1)


def test_a_genuine_one_is_taken_in_as_of_when_it_came_and_is_refused_no_more(signed):
    request = signed.refuse(signed.delivery(), **WRONG)
    signed.now += timedelta(days=2)  # far beyond the age that a signature may have

    done = signed.readmitting().readmit(request)

    assert (done.verdict, done.told) == (Verdict.TAKEN, "it is genuine, and taken in: 1 event")
    entry = signed.configured().ledger.entry(done.receipts[0].key)
    assert entry.event.received_at == NOW
    assert signed.refusals.of("crm") == []


def test_a_forged_one_stays_refused(signed):
    genuine = signed.delivery()
    request = signed.refuse(replace(genuine, body=genuine.body.replace(b"lead-7", b"lead-8")), **WRONG)

    done = signed.readmitting().readmit(request)

    assert (done.verdict, done.receipts) == (Verdict.REFUSED, ())
    assert done.told.startswith("still refused: ")
    assert signed.refusals.of("crm") == [request]


def test_before_the_mend_nothing_is_taken_in(signed):
    request = signed.refuse(signed.delivery(), **WRONG)

    assert signed.readmitting(**WRONG).readmit(request).verdict is Verdict.REFUSED


def test_one_that_was_old_when_it_came_stays_refused(signed):
    late = replace(signed.delivery(), received_at=NOW + timedelta(hours=1))
    request = signed.refuse(late)

    assert signed.readmitting().readmit(request).verdict is Verdict.REFUSED


def test_what_the_crm_sent_again_meanwhile_is_a_duplicate(signed):
    request = signed.refuse(signed.delivery(), **WRONG)
    signed.configured().take(signed.delivery())

    done = signed.readmitting().readmit(request)

    assert (done.verdict, done.told) == (Verdict.DUPLICATE, "it is genuine, and was received before: 1 event")


def test_twice_is_once(signed):
    request = signed.refuse(signed.delivery(), **WRONG)
    readmitting = signed.readmitting()

    verdicts = [readmitting.readmit(request).verdict for _ in range(2)]

    assert verdicts == [Verdict.TAKEN, Verdict.DUPLICATE]


def test_what_is_foreseen_changes_nothing(signed):
    request = signed.refuse(signed.delivery(), **WRONG)

    assert signed.readmitting().foresee(request) is None
    assert signed.readmitting(**WRONG).foresee(request).verdict is Verdict.REFUSED
    assert signed.refusals.of("crm") == [request]
    assert signed.redis.keys("callbridge:1:event:*") == []


@pytest.mark.parametrize(("url", "headers"), [(URL, {"x-webhook-secret": "a-stranger-tries-this"}), (f"{URL}?token=a-stranger-tries-this", {})])
def test_nobody_gets_in_with_what_stands_for_a_secret_that_was_removed(redis, url, headers):
    bridge = Bridge(redis, "odoo", {"secret": "the-right-secret-of-ours"})
    strange = Delivery(source="crm", body=LEAD, url=url, received_at=NOW, headers={"content-type": "application/json", **headers})
    request = bridge.refuse(strange)

    assert bridge.readmitting(secret=HIDDEN).readmit(request).verdict is Verdict.UNPROVABLE


def test_a_genuine_one_that_cannot_be_understood_stays_where_it_is(redis):
    bridge = Bridge(redis, "generic", {"secret": "the-right-secret-of-ours", "hmac": {"header": "X-Signature"}})
    request = bridge.refuse(bridge.delivery(b'{"event_id": "lead-7"}'), secret="the-wrong-secret-of-ours")

    done = bridge.readmitting().readmit(request)

    assert done.verdict is Verdict.UNREADABLE
    assert "type" in done.told
    assert bridge.refusals.of("crm") == [request]


def test_a_source_without_proof_takes_in_what_it_refused_before(redis):
    bridge = Bridge(redis, "generic", {"secret": "the-right-secret-of-ours"})
    request = bridge.refuse(bridge.delivery(secret="a-stranger-tries-this"))

    assert bridge.readmitting(insecure=True).readmit(request).verdict is Verdict.TAKEN
