"""``callbridge doctor``: what is bad is named, with its mend, and is the exit code."""

from datetime import timedelta

from bridge.model import Delivery
from bridge.wiring import clock
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
