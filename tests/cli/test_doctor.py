"""``callbridge doctor``: what is bad is named, with its mend, and is the exit code."""

from datetime import UTC, datetime, timedelta

import requests

from bridge.config import load
from bridge.examining import Examination
from bridge.model import Delivery
from bridge.wiring import build, clock
from workers.runner import BridgeWorker

LEAD = b'{"event_id": "lead-7", "type": "lead.created", "phone": "+12813322575"}'


def findings(told):
    return {(found["what"], found["level"]) for found in told.document["findings"]}


def test_without_workers_it_says_so_and_names_what_is_late(configured, services):
    headers = {"authorization": "Bearer zapier-secret-of-ours", "content-type": "application/json"}
    services.ingest.take(Delivery(source="zapier", body=LEAD, url="http://b/webhooks/zapier", received_at=clock(), headers=headers))
    for lane in ("first", "normal"):
        for key in services.redis.zrange(f"callbridge:1:due:{lane}", 0, -1):
            services.redis.zadd(f"callbridge:1:due:{lane}", {key: (clock() - timedelta(minutes=1)).timestamp() * 1000})

    told = configured.run("doctor", "--json")

    assert told.code == 1
    assert told.document["ok"] is False
    assert {("workers", "bad"), ("events", "bad"), ("configuration", "good"), ("disk", "good")} <= findings(told)


def test_it_is_well_where_a_worker_is_there(configured, services):
    from bridge.ledger import connect  # noqa: PLC0415
    from bridge.queue import wake_ups  # noqa: PLC0415

    connection = connect(services.config.redis.url, text=False)
    worker = BridgeWorker([wake_ups(connection)], connection=connection)
    worker.register_birth()
    try:
        told = configured.run("doctor")
    finally:
        worker.register_death()
        connection.close()

    assert told.code == 0
    assert "1 running" in told.out


def test_a_redis_that_is_away_is_a_finding_and_not_a_crash(configured, free_port):
    written = (configured.path / "config.yaml").read_text()
    configured.write(
        "config.yaml", "\n".join(f'redis: {{url: "redis://127.0.0.1:{free_port}"}}' if "redis:" in line else line for line in written.splitlines())
    )

    told = configured.run("doctor", "--json")

    assert told.code == 1
    assert ("Redis", "bad") in findings(told)


def test_what_the_spool_could_not_read_is_named(configured, services):
    services.spool.folder.mkdir(parents=True)
    (services.spool.folder / "1.broken").write_text("")

    assert ("spool", "bad") in findings(configured.run("doctor", "--json"))


def told_of(bridge, level="doubtful"):
    return {found["what"]: found["told"] for found in bridge.run("doctor", "--json").document["findings"] if found["level"] == level}


def test_what_is_paused_parked_and_failed_is_named_with_the_way_out(bridge):
    bridge.receive("bad", phone="12")
    bridge.run("pause", "--by", "Anna", "--note", "a wrong list")
    bridge.run("pause", "--campaign", "welcome", "--by", "Anna")
    bridge.receive()
    bridge.work()

    told = told_of(bridge)

    assert told["all calling"].startswith("paused by Anna since 2")
    assert told["all calling"].endswith("UTC (a wrong list); `callbridge resume` lets it go on")
    assert told["campaign welcome"].endswith("UTC; `callbridge resume --campaign welcome` lets it go on")
    assert told["events"] == "1 is parked: `callbridge events list status:parked` says by what"
    assert told["issues"] == "1 open, with 1 failed event: see `callbridge issues list`"


def test_who_has_resolved_an_issue_hears_no_more_of_it(bridge):
    bridge.receive("bad", phone="12")
    bridge.work()
    (issue,) = bridge.services.issues.all()

    bridge.run("issues", "acknowledge", issue.fingerprint)

    assert "issues" not in told_of(bridge)


def test_what_is_unknown_for_too_long_is_bad(bridge):
    requests.post(f"{bridge.platform}/simulator/faults", json={"fault": "reset_after", "times": 1}, timeout=5)
    bridge.receive()
    bridge.work()
    assert bridge.status() == "unknown"

    found = list(Examination(bridge.services.config, bridge.services.ledger, bridge.services.spool).findings(clock() + timedelta(minutes=16)))
    early = list(Examination(bridge.services.config, bridge.services.ledger, bridge.services.spool).findings(clock() + timedelta(minutes=14)))

    assert [one.level for one in found if "of 1 it is not known whether they were called" in one.told] == ["bad"]
    assert not [one for one in early if "not known" in one.told]


def test_a_source_that_is_silent_for_longer_than_it_may_be_is_named(configured, redis):
    written = (configured.path / "config.yaml").read_text()
    configured.write("config.yaml", written.replace("region: US}", "region: US, silence: 3h}", 1))
    services = build(load(configured.path / "config.yaml", {}))
    monday = datetime(2026, 11, 23, 12, tzinfo=UTC)
    redis.hset("callbridge:1:sources", "hubspot", (monday - timedelta(hours=4)).timestamp() * 1000)

    with services.redis:
        found = list(Examination(services.config, services.ledger, services.spool).findings(monday))

    (silent,) = (one for one in found if one.what == "source hubspot")
    assert silent.told.startswith("nothing since 2026-11-23 08:00 UTC, which is longer than 3h")
