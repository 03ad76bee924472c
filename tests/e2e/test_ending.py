"""How a bridge ends: told to, it leaves nothing behind; a second one on the same data is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests


def test_sigterm_ends_everything_within_seconds_and_leaves_no_process(bridge, lead):
    running = bridge()
    with requests.Session() as idle:  # a connection that is kept must not keep the server
        running.deliver(lead(1), idle)
        told = time.monotonic()

        assert running.stop() == 0

    assert time.monotonic() - told < 8
    assert running.pids() == set()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGHUP, pytest.param(signal.SIGQUIT, marks=pytest.mark.long)])
def test_a_closed_terminal_and_ctrl_backslash_leave_no_process_either(bridge, number):
    running = bridge()

    running.started[0].send_signal(number)

    assert running.started.pop().wait(20) == 0
    assert running.pids() == set()


@pytest.mark.long
def test_under_nohup_it_outlives_its_terminal(new_bridge):
    running = new_bridge()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running.start()
    finally:
        signal.signal(signal.SIGHUP, before)
    running.up()

    running.started[0].send_signal(signal.SIGHUP)
    time.sleep(1)

    assert running.get("/readyz") == 200


@pytest.mark.long
def test_it_ends_with_what_started_it_however_that_ends(new_bridge, until):
    """A demo, or a test, that is killed: no bridge and no Redis of it stays behind."""
    made = new_bridge()
    start = "import os, subprocess, sys; os.environ['CALLBRIDGE_PARENT'] = str(os.getpid()); subprocess.run([sys.executable, '-m', 'bridge', 'run'])"
    environ = {**os.environ, "CALLBRIDGE_CONFIG": str(made.config)}
    with (made.folder / "log").open("wb") as log:
        parent = subprocess.Popen([sys.executable, "-c", start], cwd=made.folder, env=environ, stdout=log, stderr=log)
    made.started.append(parent)
    made.up()

    parent.kill()

    until(lambda: not made.pids(), 20)


@pytest.mark.long
def test_a_demo_that_is_killed_leaves_nothing_running(tmp_path, until):
    environ = {**os.environ, "CALLBRIDGE_TEST": str(tmp_path)}
    command = [sys.executable, "-m", "bridge", "demo", "--port", "8600", "--data-dir", str(tmp_path / "demo")]
    demo = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(started_by(tmp_path)) > 5, 30)

    demo.kill()
    demo.wait()

    until(lambda: not started_by(tmp_path), 25)


def started_by(folder: Path) -> list[str]:
    """The processes that have this folder in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and str(folder).encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.long
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


def test_two_hundred_sends_in_flight_end_before_it_ends_and_nothing_is_sent_twice(new_bridge, platform, until):
    running = new_bridge()
    running.start("run", "--processes", "1", "--concurrency", "400")
    running.up()
    platform.fault("latency", seconds=4, endpoint="addPhone")
    running.deliver(
        [{"event_id": f"e{number}", "type": "lead.created", "phone": f"+1650253{number:04}"} for number in range(900)]
    )  # more than are sent before a slow machine has counted 200
    until(lambda: len(platform.requests()) >= 200)

    assert running.stop() == 0

    made = len(platform.calls())
    assert 200 <= made == len(platform.requests()) < 900
    platform.mend()
    running.start()
    until(lambda: len(platform.calls()) == 900, 60)
    assert len(platform.requests()) == 900
    running.up()
    until(lambda: not running.unfinished())
    assert {running.entry(f"zapier:e{number}").crashes for number in range(0, 900, 10)} == {0}
