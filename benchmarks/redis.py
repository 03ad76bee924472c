"""A Redis for a measurement: of its own, in a folder of its own, ended with it."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NotConnected

from bridge.ledger import connect
from bridge.redis_server import PACKED_HASHES, find_server


@contextmanager
def running_redis(**settings: str) -> Iterator[Redis]:
    """A client for it, with answers as text. ``_`` in the name of a setting stands for ``-``."""
    with tempfile.TemporaryDirectory(prefix="cb-") as folder:
        place = Path(folder) / "redis.sock"
        asked = {"port": "0", "save": "", "appendonly": "no", "dir": folder, "unixsocket": str(place), **PACKED_HASHES, **settings}
        words = [word for name, value in asked.items() for word in (f"--{name.replace('_', '-')}", value)]
        server = subprocess.Popen([str(find_server()), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = connect(f"unix://{place}", timeout=60)
        try:
            _await(client, server)
            yield client
        finally:
            client.close()
            server.kill()
            server.wait()


def _await(client: Redis, server: "subprocess.Popen[bytes]") -> None:
    while server.poll() is None:
        try:
            client.ping()
        except NotConnected:
            time.sleep(0.01)
        else:
            return
    raise SystemExit("the Redis of the measurement ended at once")
