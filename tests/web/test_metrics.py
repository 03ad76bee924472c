"""``/metrics``: the ledger's counters as Prometheus reads them; open to everybody, so with nothing in it that is anybody's business."""

import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge import __version__
from bridge.app import create_app
from bridge.ledger import Pause
from bridge.ledger.totals import TOOK
from bridge.metrics import CALL_SECONDS, LABELS
from bridge.model import to_ms
from bridge.wiring import Services, clock

NOT_THERE = "unix:///nowhere/redis.sock"
PROMTOOL = shutil.which("promtool")
SCRIPTS = Path(__file__).parents[2] / "bridge/ledger/scripts"


@dataclass
class Door:
    """Another application over the same ledger."""

    services: Services
    client: Any


def scraped(door):
    """Every sample, by its name and its labels' values in the order of the labels' names."""
    answer = door.client.get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = text_string_to_metric_families(answer.get_data(as_text=True))
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_what_came_in_is_counted_by_source(door, lead):
    door.deliver("zapier", lead(1))
    door.deliver("zapier", lead(2))
    door.deliver("zapier", lead(2))

    found = scraped(door)

    assert found["callbridge_events_accepted_total", "zapier"] == 2
    assert found["callbridge_duplicates_total", "zapier"] == 1
    assert found["callbridge_events", "queued"] == 2
    assert abs(found["callbridge_last_delivery_timestamp_seconds", "zapier"] - clock().timestamp()) < 5


def test_a_source_that_was_never_heard_of_begins_at_nothing(door):
    found = scraped(door)

    assert [found["callbridge_events_accepted_total", name] for name in door.services.config.sources] == [0] * 6
    assert found["callbridge_refused_requests_total", "stale", "zapier"] == 0
    assert ("callbridge_last_delivery_timestamp_seconds", "zapier") not in found


def test_a_refused_webhook_is_counted_by_why(door, lead):
    door.deliver("zapier", lead(), headers={"Authorization": "Bearer somebody-elses"})

    assert scraped(door)["callbridge_refused_requests_total", "wrong_secret", "zapier"] == 1


def test_what_nobody_looks_after_is_late(door, lead):
    door.deliver("zapier", lead())
    before = (clock() - timedelta(minutes=7)).timestamp() * 1000
    door.services.redis.zadd("callbridge:1:due:normal", {"zapier:lead-7": before})

    found = scraped(door)

    assert found["callbridge_due_events",] == 1
    assert 420 <= found["callbridge_past_due_seconds",] < 430


def test_what_is_not_due_yet_is_not_late(door, lead):
    door.deliver("zapier", lead())
    later = (clock() + timedelta(minutes=7)).timestamp() * 1000
    door.services.redis.zadd("callbridge:1:due:normal", {"zapier:lead-7": later})

    found = scraped(door)

    assert (found["callbridge_due_events",], found["callbridge_past_due_seconds",]) == (0, 0)


def test_an_event_is_unknown_since_it_was_asked_for_and_not_since_it_came(door, lead):
    door.deliver("zapier", lead())
    redis, now = door.services.redis, clock()
    redis.hset("callbridge:1:event:zapier:lead-7", mapping={"asked": int((now - timedelta(minutes=3)).timestamp() * 1000)})
    redis.zadd("callbridge:1:by:status:unknown", {"zapier:lead-7": (now - timedelta(days=3)).timestamp() * 1000})

    found = scraped(door)

    assert 180 <= found["callbridge_oldest_seconds", "unknown"] < 190
    assert found["callbridge_oldest_seconds", "parked"] == 0


def test_pauses_are_shown_by_their_scope(door):
    door.services.switches.pause(Pause(scope="campaign:welcome", by="Anna", at=clock(), note="a wrong list"))

    found = scraped(door)

    assert found["callbridge_paused", "campaign:welcome"] == 1
    assert (found["callbridge_paused", "everything"], found["callbridge_paused", "source:zapier"]) == (0, 0)


def test_a_campaign_that_is_left_alone_is_named(door):
    door.services.redis.hset("callbridge:1:breaker:welcome", mapping={"failures": 5, "open": 1764000000000})

    assert scraped(door)["callbridge_campaign_left_alone", "welcome"] == 1


def test_a_silent_source_is_named(door):
    services, wednesday, hour = door.services, datetime(2026, 11, 25, 15, tzinfo=UTC), timedelta(hours=1)
    for hours in range(21 * 24, 3, -1):
        services.redis.hincrby("callbridge:1:totals", "accepted|zapier", 1)
        services.totals.note(wednesday - hours * hour)
    services.redis.hset("callbridge:1:sources", "zapier", to_ms(wednesday - 4 * hour))

    found = scraped(Door(services, create_app(replace(services, clock=lambda: wednesday)).test_client()))

    assert (found["callbridge_source_silent", "zapier"], found["callbridge_source_silent", "hubspot"]) == (1, 0)


def test_an_open_issue_is_counted(door):
    door.deliver("hubspot", b"neither JSON nor anything")

    found = scraped(door)

    assert (found["callbridge_issues", "open"], found["callbridge_issues", "resolved"]) == (1, 0)
    assert found["callbridge_events_finished_total", "", "hubspot", "failed"] == 1


def test_what_redis_promises_is_told_and_whether_it_is_enough(door):
    found = scraped(door)

    assert [found["callbridge_redis_durability", level] for level in ("always", "everysec", "unsafe", "unknown")] == [0, 0, 1, 0]
    assert found["callbridge_redis_weaker_than_asked",] == 0
    assert found["callbridge_workers",] == 0


def test_a_call_is_counted_under_every_time_that_holds_it(door):
    door.services.redis.hset(
        "callbridge:1:totals", mapping={"took|welcome|0.5": 3, "took|welcome|60": 1, "took|welcome|more": 1, "took_ms|welcome": 200_000}
    )

    found = scraped(door)

    under = {seconds: found["callbridge_call_seconds_bucket", "welcome", seconds] for seconds in ("0.25", "0.5", "30.0", "60.0", "86400.0", "+Inf")}
    assert under == {"0.25": 0, "0.5": 3, "30.0": 3, "60.0": 4, "86400.0": 4, "+Inf": 5}
    assert (found["callbridge_call_seconds_count", "welcome"], found["callbridge_call_seconds_sum", "welcome"]) == (5, 200)


def test_the_ledger_counts_under_the_times_that_are_shown():
    spelled = (SCRIPTS / "common.lua").read_text().partition("local TOOK = {")[2].partition("}")[0]

    assert [*spelled.replace(" ", "").split(","), "more"] == list(TOOK)


def test_every_metric_is_there_with_what_it_means_and_just_its_labels(door, lead):
    door.deliver("zapier", lead())
    door.services.redis.hset("callbridge:1:totals", mapping={"finished|zapier|welcome|done": 1, "attempts|welcome|call|made": 1})

    families = list(text_string_to_metric_families(door.client.get("/metrics").get_data(as_text=True)))

    shown = {family.name + "_total" * (family.type == "counter"): family for family in families}
    assert set(shown) == set(LABELS)
    assert [name for name, family in shown.items() if not family.documentation.endswith(".")] == []
    labels = {name: {frozenset(sample.labels) - {"le"} for sample in family.samples} for name, family in shown.items()}
    assert labels == {name: {frozenset(expected)} for name, expected in LABELS.items()}
    assert shown[CALL_SECONDS].type == "histogram"


def test_without_redis_it_says_so_and_tells_what_it_knows_all_the_same(open_door):
    found = scraped(open_door(NOT_THERE))

    assert found == {("callbridge_up",): 0, ("callbridge_build_info", __version__): 1, ("callbridge_spooled_deliveries",): 0}


def test_deliveries_on_disk_are_counted_while_redis_is_away(open_door):
    door = open_door(NOT_THERE)
    assert door.deliver("odoo", {"_model": "crm.lead", "_id": 5, "_action": "created"}).status_code == 202

    assert scraped(door)["callbridge_spooled_deliveries",] == 1


def test_a_stranger_learns_no_secret_and_nobodys_number(door, lead):
    door.deliver("zapier", lead())
    door.deliver("zapier", lead(8), headers={"Authorization": "Bearer zapier-secret-of-yesterday"})

    told = door.client.get("/metrics").get_data(as_text=True)

    assert [word for word in ("secret-of", "token-of", "2813322575", "2576", "Alex") if word in told] == []


def test_what_a_sender_says_becomes_no_label(door, lead):
    for number in range(20):
        door.deliver("zapier", lead(number, type=f"made.up.{number}", fields={"x": number}))
        door.client.post(f"/webhooks/nobody-{number}", data=b"{}")
    few = len(scraped(door))

    for number in range(20, 60):
        door.deliver("zapier", lead(number, type=f"made.up.{number}"))
        door.client.post(f"/webhooks/nobody-{number}", data=b"{}")

    assert len(scraped(door)) == few


def test_a_scrape_asks_redis_as_often_with_many_events_as_with_few(door, lead):
    def once():
        before = int(door.services.redis.info()["total_reads_processed"])
        scraped(door)
        return int(door.services.redis.info()["total_reads_processed"]) - before - 1

    def round_trips():
        # The server counts what anybody asks, and what an earlier test has left may still be asking; that only ever adds.
        return min(once() for _ in range(5))

    few = round_trips()
    for number in range(60):
        door.deliver("zapier", lead(number))
        door.services.redis.zadd("callbridge:1:by:status:parked", {f"zapier:lead-{number}": number})

    assert round_trips() <= few + 2
    assert few < 20


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus has it")
def test_promtool_finds_nothing_to_say(door, lead):
    door.deliver("zapier", lead())
    door.services.redis.hset("callbridge:1:totals", mapping={"finished|zapier|welcome|done": 1, "attempts|welcome|call|made": 1})
    told = subprocess.run([PROMTOOL, "check", "metrics"], input=door.client.get("/metrics").data, capture_output=True, check=False)

    assert (told.returncode, told.stdout + told.stderr) == (0, b"")
