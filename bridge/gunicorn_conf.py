"""gunicorn's settings for ``callbridge web``. ``GUNICORN_CMD_ARGS`` and ``WEB_CONCURRENCY`` override each of them."""

import os
import threading
import time
from typing import Any

import bridge.app  # noqa: F401 -- read once, before the workers are forked: each would take a second for it

bind = os.environ.get("CALLBRIDGE_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "bridge.web.receiving.Worker"  # gunicorn's gthread, in which slow senders take nobody's thread
threads = 16
keepalive = 65  # longer than the idle time of the usual proxies, so that they close first
backlog = 2048
timeout = 30  # a worker that hangs this long is replaced; CRMs have hung up long before
graceful_timeout = 20
forwarder_headers = ""  # no header stands in for the path, not even from a proxy on this host, which may only pass it on
limit_request_line = 8190  # webhook URLs may carry tokens and query parameters
preload_app = False  # each worker connects to Redis by itself
accesslog = None  # one line per delivery is written by the bridge, with more in it and no secrets
errorlog = "-"
loglevel = os.environ.get("CALLBRIDGE_GUNICORN_LOG", "warning")
control_socket_disable = True  # nobody needs a second way in


_LAST_ANSWERS = 3.0  # seconds; more than any delivery waits for Redis


def post_worker_init(worker: Any) -> None:
    """A worker whose server was killed ends soon, and gives the port free.

    Left to itself it takes no new connections, but keeps the port until the last CRM has hung up: those that come meanwhile
    are answered by nobody, and no other server can be started.
    """
    threading.Thread(target=_outlive, args=(worker.ppid,), daemon=True).start()


def _outlive(server: int) -> None:
    while os.getppid() == server:
        time.sleep(0.5)
    time.sleep(_LAST_ANSWERS)
    os._exit(1)  # a delivery that was cut off here is delivered again


def when_ready(server: Any) -> None:
    """Under ``callbridge run``: end when it ends, however it ends, so that no half of a bridge is left behind."""
    parent = int(os.environ.get("CALLBRIDGE_PARENT", "0"))
    if parent:
        threading.Thread(target=_follow, args=(parent, server), daemon=True).start()


def _follow(parent: int, server: Any) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(server.pid, 15)
