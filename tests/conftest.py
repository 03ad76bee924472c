"""What every test may ask for: a real Redis of its own, from the server that the bridge embeds.

``redis_server``   the URL of one server for the whole run, on a unix socket; no append-only file, for speed
``redis_url``      the same, emptied before and after each test
``redis``          a client for it, ``decode_responses=True``
``start_redis``    starts more servers with the settings asked for: ``start_redis(appendonly="yes")`` gives a URL
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from redis import ConnectionError as NotConnected
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bridge.embedded import find_server

QUICK = {"port": "0", "save": "", "appendonly": "no", "daemonize": "no"}


# How quick an example is says more about what else runs on the cores than about the product: only what it finds counts.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

LONG = ("tests/chaos/", "tests/properties/", "tests/e2e/", "tests/browser/")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that mostly wait come first, so that no core is left alone with them at the end; the others stay in their random order."""
    items.sort(key=lambda item: next((place for place, folder in enumerate(LONG) if folder in item.path.as_posix()), len(LONG)))


@contextmanager
def running_redis(**settings: str) -> Iterator[str]:
    """A server in a directory of its own (a short one: the path of a socket is limited); ``_`` in a name stands for ``-``, values are words."""
    directory = Path(tempfile.mkdtemp(prefix="cb-"))
    asked = {**QUICK, "dir": str(directory), "unixsocket": str(directory / "redis.sock"), **settings}
    words = [word for name, value in asked.items() for word in (f"--{name.replace('_', '-')}", *value.split(" "))]
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen([str(find_server()), *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"unix://{asked['unixsocket']}"
        _await_ready(process, url, directory / "server.log")
        yield url
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _await_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
        while process.poll() is None:
            try:
                client.ping()
            except NotConnected:
                time.sleep(0.01)
            else:
                return
    pytest.fail(f"the test's Redis server ended at once: {log.read_text()}")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with running_redis() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    with Redis.from_url(redis_server) as client:
        client.flushdb()
        yield redis_server
        client.flushdb()


@pytest.fixture(name="redis")
def redis_client(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True, encoding_errors="surrogateescape") as client:
        yield client


@pytest.fixture
def start_redis() -> Iterator[Callable[..., str]]:
    with ExitStack() as servers:
        yield lambda **settings: servers.enter_context(running_redis(**settings))
