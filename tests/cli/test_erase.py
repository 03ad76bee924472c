"""``callbridge erase``: ordered here, carried out by workers."""

import threading

from bridge.model import Delivery
from bridge.wiring import clock
from workers.runner import Process, build_world


def received(services):
    body = b'{"event_id": "lead-7", "type": "note.added", "phone": "+12813322575", "name": "Alexandra Doe"}'
    headers = {"authorization": "Bearer zapier-secret-of-ours", "content-type": "application/json"}
    services.ingest.take(Delivery(source="zapier", body=body, url="http://bridge/webhooks/zapier", received_at=clock(), headers=headers))


def test_a_person_is_forgotten_by_the_workers(configured, services):
    received(services)
    process = Process(build_world(services.config, concurrency=2))
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(0.05):
            process.deliver_due()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        told = configured.run("erase", "+1 281 332 2575", "--yes", "--json")
    finally:
        stopping.set()
        worker.join()
        process.hands.close()

    assert (told.code, told.document["status"]) == (0, "done")
    assert "in 1 other events" in told.document["reason"]
    assert services.ledger.entry("zapier:lead-7").event.contact is None


def test_nobody_known_is_exit_code_3(configured):
    told = configured.run("erase", "+12813322575", "--yes")

    assert told.code == 3
    assert "Nothing in the ledger" in told.err


def test_who_is_meant_must_be_clear(configured):
    assert configured.run("erase", "Alexandra", "--yes").code == 2
    assert configured.run("erase", "contact:1", "--source", "nowhere", "--yes").code == 2


def test_without_an_answer_nothing_is_erased(configured, services):
    received(services)

    told = configured.run("erase", "+12813322575")

    assert told.code == 1
    assert services.ledger.entry("zapier:lead-7").event.contact is not None


def test_without_workers_it_says_so(configured, services):
    received(services)

    told = configured.run("erase", "+12813322575", "--yes", "--wait", "200ms")

    assert told.code == 1
    assert "are workers running?" in told.err
