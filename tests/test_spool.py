"""Deliveries of CRMs that never send twice, while Redis is away."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import LedgerUnavailable, Unreadable
from bridge.model import Delivery
from bridge.spool import Spool

NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)


def delivery(number: int, body: bytes = b"{}") -> Delivery:
    return Delivery(source="crm", body=body, url="https://b/webhooks/crm", received_at=NOW + timedelta(seconds=number), headers={"a": "b"})


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


def test_they_are_taken_in_once_in_the_order_they_came_and_as_they_came(spool):
    given = [delivery(2, b"\xff\x00"), delivery(1), delivery(3, "Zoë".encode())]
    for each in given:
        spool.keep(each)
    taken = []

    assert spool.drain(taken.append) == 3
    assert taken == [given[1], given[0], given[2]]
    assert spool.drain(taken.append) == 0


def test_what_redis_still_does_not_take_stays_and_so_does_what_came_after_it(spool):
    for number in range(3):
        spool.keep(delivery(number))
    taken = []

    def take(each: Delivery) -> None:
        if len(taken) == 1:
            raise LedgerUnavailable("away")
        taken.append(each)

    assert spool.drain(take) == 1
    assert len(spool.waiting()) == 2
    assert spool.drain(taken.append) == 2
    assert taken == [delivery(0), delivery(1), delivery(2)]


def test_two_processes_do_not_take_the_same_delivery_in(spool):
    for number in range(20):
        spool.keep(delivery(number))
    taken, together = [], threading.Barrier(4)

    def drain() -> None:
        together.wait()
        spool.drain(taken.append)

    threads = [threading.Thread(target=drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.drain(taken.append)

    assert sorted(each.received_at for each in taken) == [delivery(number).received_at for number in range(20)]


def test_a_full_spool_promises_nothing(tmp_path):
    spool = Spool(tmp_path, most=2)
    spool.keep(delivery(1))
    spool.keep(delivery(2))

    with pytest.raises(LedgerUnavailable, match="full"):
        spool.keep(delivery(3))


def test_a_folder_that_cannot_be_written_promises_nothing(tmp_path):
    (tmp_path / "spool").write_text("a file")

    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        Spool(tmp_path / "spool").keep(delivery(1))


def test_a_spoilt_file_holds_up_nobody(spool, tmp_path, caplog):
    spool.keep(delivery(1))
    (tmp_path / "spool" / "000000000000000-spoilt").write_text('{"source": "crm"')
    taken = []

    assert spool.drain(taken.append) == 1
    assert [path.name for path in (tmp_path / "spool").glob("*.broken")] == ["000000000000000-spoilt.broken"]
    assert "set aside" in caplog.text


def test_what_cannot_be_read_as_things_stand_waits_and_holds_up_nobody_and_is_said_once(spool, caplog):
    for number in range(3):
        spool.keep(delivery(number))
    taken = []

    def take(each: Delivery) -> None:
        if each == delivery(1):
            raise Unreadable("its source is gone")
        taken.append(each)

    assert spool.drain(take) == 2
    assert spool.drain(take) == 0
    assert taken == [delivery(0), delivery(2)]
    assert caplog.text.count("its source is gone") == 1
    assert spool.drain(taken.append) == 1


def test_a_disk_that_fails_for_a_while_does_not_end_the_draining(spool, tmp_path):
    spool.keep(delivery(1))
    (tmp_path / "spool" / ".lock").mkdir()  # which cannot be opened as a file
    taken, arrived, stopping = [], threading.Event(), threading.Event()

    def take(each: Delivery) -> None:
        taken.append(each)
        arrived.set()

    draining = threading.Thread(target=spool.run, args=(take, stopping))
    draining.start()
    try:
        assert not arrived.wait(1.5)
        (tmp_path / "spool" / ".lock").rmdir()
        assert arrived.wait(10)
    finally:
        stopping.set()
        draining.join()
    assert taken == [delivery(1)]
