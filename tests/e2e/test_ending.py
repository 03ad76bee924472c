"""How a bridge ends: told to, it leaves nothing behind; a second one on the same data is refused."""

import signal
import time

import requests


def test_sigterm_ends_everything_within_seconds_and_leaves_no_process(bridge, lead):
    running = bridge()
    with requests.Session() as idle:  # a connection that is kept must not keep the server
        running.deliver(lead(1), idle)
        told = time.monotonic()

        assert running.stop() == 0

    assert time.monotonic() - told < 8
    assert running.pids() == set()


def test_a_second_run_on_the_same_data_is_refused_and_harms_nothing(bridge, new_bridge, lead):
    first = bridge()
    second = new_bridge()
    second.config.write_text(second.config.read_text().replace("./data", str(first.folder / "data")))

    assert second.start().wait(20) == 1

    assert f"data_dir {(first.folder / 'data').resolve()} is in use by the bridge with pid {first.started[0].pid}" in second.log
    assert "Traceback" not in second.log
    assert first.deliver(lead(1)) == (202, "queued")


def test_ctrl_c_lets_an_open_attempt_end_before_it_ends(bridge, platform, until, lead):
    running = bridge()
    platform.fault("latency", seconds=2, endpoint="addPhone")
    running.deliver(lead(1))
    until(platform.requests)

    running.started[0].send_signal(signal.SIGINT)

    assert running.started.pop().wait(20) == 0
    assert running.pids() == set()
    assert '"status": "done"' in running.log
    assert len(platform.calls()) == 1
