"""Alerts against a receiver that listens: what arrives, that it can be trusted, and what happens when nobody takes it."""

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from bridge.config import Config, load
from bridge.config.schema import AlertSettings
from bridge.ledger import AlertBook, Issues, Pause, Switches, Totals, connect
from bridge.ledger.issues import State
from bridge.listening import Listening
from bridge.measuring import Measuring
from bridge.model import Delivery
from bridge.sources.standard_webhooks import StandardWebhooks, StandardWebhooksSettings
from bridge.spool import Spool
from workers import runner
from workers.alerting import AT_ONCE, LEASE, Alerting
from workers.line import Line

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLIC = "https://bridge.example.com"


@dataclass
class Receiver:
    """What it was posted, and the status it answers with."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    @property
    def types(self) -> list[str]:
        return [document["type"] for document in self.documents]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@contextmanager
def listening() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.status)
            for name, value in {**receiver.headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 -- the same

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook/its-own-secret"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as running:
        yield running


@pytest.fixture
def alerting(bench, tmp_path):
    """``alerting(settings, …)``: a supervisor that tells these receivers; each has connections and a name of its own."""
    b = bench()
    with ExitStack() as stack:

        def made(*receivers, worker="w0"):
            redis = stack.enter_context(connect(b.redis_url))
            line = Line(timedelta(seconds=2), 1)
            stack.callback(line.close)
            totals = Totals(redis)
            measuring = Measuring(
                redis=redis,
                totals=totals,
                issues=Issues(redis),
                switches=Switches(redis),
                listening=Listening(totals, dict.fromkeys(b.world.sources)),
                spool=Spool(tmp_path),
                campaigns=("welcome",),
                sources=tuple(b.world.sources),
                asked="unsafe",
            )
            return Alerting(
                receivers=receivers,
                public_url=PUBLIC,
                measuring=measuring,
                book=AlertBook(redis),
                post=line.send,
                clock=b.clock,
                worker=worker,
            )

        yield b, made


def settings(receiver, **more):
    return AlertSettings(url=receiver.url, **{"secret": SECRET, "on": ["issue", "parked", "unknown", "past_due", "paused"], **more})


def fail(b, event_id="e1"):
    """An event with a number that is none."""
    b.lead(event_id, phone="12")
    b.work()
    assert b.status(event_id) == "failed"


def verified(receiver, now):
    """Each message as our own source for Standard Webhooks takes it."""
    source = StandardWebhooks("alerts", StandardWebhooksSettings(kind="standard_webhooks", secret=SECRET))
    events = []
    for headers, body in receiver.got:
        delivery = Delivery(source="alerts", body=body, url=receiver.url, received_at=now, headers=headers)
        source.verify(delivery, now)
        events += source.parse(delivery)
    return events


def test_a_new_issue_is_told_once_signed_and_with_a_link(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver))
    fail(b)

    teller.look()
    teller.look()

    (event,) = verified(receiver, b.clock())
    (issue,) = Issues(b.world.ledger.redis).all()
    assert (event.type, event.id) == ("issue.opened", receiver.ids[0])
    assert event.fields["url"] == f"{PUBLIC}/ops/issues/{issue.fingerprint}"
    assert (event.fields["turn"], event.fields["title"], event.fields["count"]) == ("new", "1 event of crm failed in campaign welcome", 1)


def test_another_secret_verifies_nothing(alerting, receiver):
    b, made = alerting
    fail(b)
    made(settings(receiver, secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")).look()

    with pytest.raises(Exception, match="no signature of the list matches"):
        verified(receiver, b.clock())


def test_no_number_no_name_and_no_secret_goes_out(alerting, receiver):
    b, made = alerting
    b.lead(name="Alex Doe", phone="+1 650 253 0000 0000 0000")
    b.work()
    assert b.status() == "failed"

    made(settings(receiver)).look()

    told = receiver.got[0][1].decode() + json.dumps(receiver.got[0][0])
    assert [word for word in ("6502530000", "Alex", SECRET, SECRET.removeprefix("whsec_")) if word in told] == []


def test_a_resolved_issue_is_told_as_over_and_one_that_comes_back_as_new(alerting, receiver):
    b, made = alerting
    teller, issues = made(settings(receiver)), Issues(b.world.ledger.redis)
    fail(b)
    teller.look()
    (issue,) = issues.all()

    issues.change(issue.fingerprint, State.RESOLVED, "Anna", b.clock())
    b.clock.advance(minutes=2)
    teller.look()
    fail(b, "e2")
    teller.look()

    assert receiver.types == ["issue.opened", "issue.resolved", "issue.opened"]
    assert len(set(receiver.ids)) == 3


def test_an_issue_that_comes_back_between_two_looks_is_new(alerting, receiver):
    b, made = alerting
    teller, issues = made(settings(receiver)), Issues(b.world.ledger.redis)
    fail(b)
    teller.look()

    issues.change(issues.all()[0].fingerprint, State.RESOLVED, "Anna", b.clock())
    fail(b, "e2")
    teller.look()

    assert receiver.types == ["issue.opened", "issue.opened"]


def test_what_goes_on_is_told_again_quietly_as_time_passes(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver, repeat="4h"))
    Switches(b.world.ledger.redis).pause(Pause(scope="*", by="Anna", at=b.clock()))

    for _ in range(10):
        teller.look()
        b.clock.advance(hours=1)

    assert [(document["data"]["turn"], document["data"]["times"]) for document in receiver.documents] == [("new", 1), ("again", 2), ("again", 3)]
    assert len(set(receiver.ids)) == 3


def test_an_unknown_event_is_told_when_it_has_been_unknown_for_long(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver))
    b.platform.fault("reset_after")
    b.clock.advance(hours=2)  # how old the bridge is says nothing
    b.lead()
    b.work()

    teller.look()
    assert receiver.got == []
    b.clock.advance(minutes=15)
    b.work()
    teller.look()
    assert receiver.types == ["event.unknown"]


def test_a_campaign_whose_token_is_wrong_is_told_after_ten_minutes(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver, on="parked"))
    b.platform.fault("bad_token")
    b.lead()
    b.work()

    for _ in range(10):
        teller.look()
        b.clock.advance(minutes=1)
        b.work()
    assert receiver.got == []
    teller.look()

    (document,) = receiver.documents
    assert (document["type"], document["data"]["title"]) == ("campaign.parked", "1 event is parked: campaign welcome")


def test_what_waits_for_a_campaign_that_somebody_paused_is_parked_on_purpose(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver, on="parked"))
    Switches(b.world.ledger.redis).pause(Pause(scope="campaign:welcome", by="Anna", at=b.clock()))
    b.lead()
    b.work()
    assert b.status() == "parked"

    for _ in range(12):
        teller.look()
        b.clock.advance(minutes=1)
        b.work()

    assert receiver.got == []


def test_an_outage_loses_nothing_and_is_said_once(alerting, receiver, caplog):
    b, made = alerting
    caplog.set_level(logging.WARNING, "callbridge.alerts")
    teller = made(settings(receiver))
    receiver.status = 500
    fail(b)

    for _ in range(8):
        teller.look()
        b.clock.advance(seconds=15)
    tried = len(receiver.got)
    assert 2 <= tried <= 5, "it is left alone for longer each time"
    assert len(set(receiver.ids)) == 1, "every try has the same id"

    receiver.status = 200
    b.clock.advance(minutes=15)
    teller.look()
    teller.look()

    assert len(receiver.got) == tried + 1
    verified(replace(receiver, got=receiver.got[-1:]), b.clock())
    lines = [record for record in caplog.records if record.name == "callbridge.alerts"]
    assert [line.message for line in lines] == [
        "a receiver does not take alerts; it is tried again until it does",
        "the receiver takes alerts again",
    ]
    assert "its-own-secret" not in "".join(str(vars(line)) for line in lines)


def test_a_receiver_that_is_gone_keeps_nothing_from_another(alerting, receiver):
    b, made = alerting
    gone = Receiver(url="http://127.0.0.1:9/hook")
    teller = made(settings(gone), settings(receiver))
    fail(b)

    teller.look()

    assert receiver.types == ["issue.opened"]


def test_a_redirect_is_not_followed(alerting, receiver):
    b, made = alerting
    with listening() as elsewhere:
        receiver.status, receiver.headers = 307, {"Location": elsewhere.url}
        fail(b)

        made(settings(receiver)).look()

        assert (len(receiver.got), elsewhere.got) == (1, [])


def test_what_nobody_took_for_a_day_is_no_news(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver, repeat="30d"))
    receiver.status = 500
    fail(b)
    teller.look()

    receiver.status = 200
    b.clock.advance(hours=25)
    teller.look()

    assert len(receiver.got) == 1


def test_several_supervisors_tell_it_once(alerting, receiver):
    b, made = alerting
    tellers = [made(settings(receiver), worker=f"w{number}") for number in range(4)]
    fail(b)

    threads = [Thread(target=teller.look) for teller in tellers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert receiver.types == ["issue.opened"]


def test_another_goes_on_when_the_one_that_tells_is_gone(alerting, receiver):
    b, made = alerting
    first, second = made(settings(receiver), worker="w1"), made(settings(receiver), worker="w2")
    first.look()
    fail(b)

    second.look()
    assert receiver.got == [], "the first one has it still"
    b.world.ledger.redis.delete("callbridge:1:alerting")  # what Redis does when its time is over
    second.look()

    assert receiver.types == ["issue.opened"]


def test_who_was_killed_before_it_noted_the_answer_has_it_delivered_again_under_the_same_id(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver))
    fail(b)

    def dies(request):
        teller.post(request)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(teller, post=dies).look()
    b.world.ledger.redis.delete("callbridge:1:alerting")
    made(settings(receiver), worker="w2").look()

    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1
    assert receiver.got[0][1] == receiver.got[1][1]


def test_the_lease_is_kept_by_who_has_it_and_lost_when_he_is_late(redis):
    book = AlertBook(redis)

    assert [book.hold(who, LEASE) for who in ("w1", "w2", "w1")] == [True, False, True]
    assert redis.pttl("callbridge:1:alerting") > 50_000


def test_what_chats_take_is_text_without_markup_or_calls_to_everybody(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver, secret=None, format="slack"))
    Switches(b.world.ledger.redis).pause(Pause(scope="*", by="<!channel> @here & co", at=b.clock()))

    teller.look()
    Switches(b.world.ledger.redis).resume("*", b.clock())
    b.clock.advance(minutes=2)
    teller.look()

    begun, over = (document["text"].splitlines() for document in receiver.documents)
    assert begun[0] == "&lt;!channel&gt; @\u200bhere &amp; co paused all calling"
    assert begun[-1] == f"{PUBLIC}/ops/switches"
    assert (over[0], over[-1]) == (f"Over: {begun[0]}", begun[-1])
    assert over[1].startswith("It was so since ")
    assert "webhook-signature" not in receiver.got[0][0]


def test_a_heartbeat_is_sent_every_so_often_and_never_made_up_for(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver, on="heartbeat", heartbeat="5m"))

    for _ in range(12):
        teller.look()
        b.clock.advance(minutes=1)
    assert receiver.types == ["heartbeat"] * 3

    receiver.status = 500
    b.clock.advance(hours=1)
    teller.look()
    receiver.status = 200
    b.clock.advance(hours=1)
    teller.look()
    teller.look()
    assert len(receiver.got) == 5
    verified(replace(receiver, got=receiver.got[-1:]), b.clock())


def test_what_piled_up_goes_out_a_few_at_a_time(alerting, receiver):
    b, made = alerting
    teller = made(settings(receiver, on="paused"))
    receiver.status = 500
    switches = Switches(b.world.ledger.redis)
    for _ in range(AT_ONCE + 5):
        switches.pause(Pause(scope="*", by="Anna", at=b.clock()))
        teller.look()
        b.clock.advance(seconds=2)
    receiver.status, before = 200, len(receiver.got)
    b.clock.advance(minutes=15)

    teller.look()
    assert len(receiver.got) - before == AT_ONCE
    teller.look()
    assert len(set(receiver.ids[before:])) == AT_ONCE + 5


def test_without_a_receiver_nothing_is_read(alerting):
    b, made = alerting

    made().look()

    assert not b.world.ledger.redis.exists("callbridge:1:alerting")


def test_a_supervisor_tells_where_the_configuration_names_a_receiver(alerting, receiver, tmp_path):
    b, _ = alerting
    fail(b)
    (tmp_path / "config.yaml").write_text(f"alerts: [{{url: '{receiver.url}', secret: {SECRET}, on: issue}}]")
    (chore,) = runner.alerting(load(tmp_path / "config.yaml", {}), b.world)

    assert chore.look() is False
    assert receiver.types == ["issue.opened"]
    assert runner.alerting(Config(), b.world) == []


def test_what_a_receiver_never_takes_is_bounded(redis):
    book = AlertBook(redis)
    for number in range(150):
        book.decide("r", {}, [str(number)])

    assert redis.llen("callbridge:1:alerts:out:r") == 100
    assert book.line("r").message == "50"
