"""The embedded Redis: a server process of our own, on a unix socket, for those who run none.

Everything lives in ``data_dir/redis/``:

=================  =====================================================================================
``owner.lock``     flocked by the process that looks after the server, with its pid
``server.lock``    flocked by the server itself (it inherits the open file), with its pid
``redis.sock``     the only place it listens; there is no TCP port
``server.log``     what it says; ``server.log.1`` is what it said before
``appendonlydir``  the records
=================  =====================================================================================

The two locks tell every state apart, whoever was killed when: a free ``owner.lock`` means that nobody looks after the
server, a free ``server.lock`` that no server has the files open. A server whose owner was killed goes on, and the next
owner adopts it; that is why it is not tied to its parent's death (``PR_SET_PDEATHSIG``): web and worker processes in
other terminals keep their Redis meanwhile. It has a session of its own, so that Ctrl-C reaches only the bridge, which
stops it last. Under systemd that takes ``KillMode=mixed``.
"""

import fcntl
import os
import signal
import subprocess
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import ConnectionError as RedisConnectionError

from bridge.errors import StartupError
from bridge.redis_server import FSYNC, ask, connect, directory_of, find_server, is_running, listens, mend, mending, settings, socket_path, url

__all__ = ["EmbeddedRedis", "find_server", "is_running", "url"]

_PATIENCE = 30.0
_GRACE = 30.0
_PAUSE = 0.02
_LOADING_PAUSE = 0.25
_LOG_LIMIT = 1_000_000


class EmbeddedRedis:
    """The owner of one ``data_dir``'s server. One thread uses it; ``progress`` is told what takes long, in sentences.

    As a context manager it starts the server and stops it. A fork of the owner owns nothing: there ``stop`` does nothing.
    """

    def __init__(self, data_dir: Path, durability: str = "always", progress: Callable[[str], None] = lambda _: None) -> None:
        self.data_dir = data_dir.resolve()
        self.directory = directory_of(data_dir)
        self.log = self.directory / "server.log"
        self.durability = durability
        self._progress = progress
        self._owner = _Lock(self.directory / "owner.lock")
        self._server = _Lock(self.directory / "server.lock")
        self._process: subprocess.Popen[bytes] | _Adopted | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return url(self.data_dir)

    @property
    def pid(self) -> int | None:
        """The server's process, while this owner has one."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Return when the server takes commands: a new one, or the one that a killed owner left behind.

        However long the records take to load is waited for. ``StartupError`` says why there is no server and what to do.
        """
        with mending(self.directory):
            self._make_room()
            if not self._owner.take():
                raise StartupError(
                    f"data_dir {self.data_dir} is in use by the bridge with pid {self._owner.signed_by()}: "
                    "stop that one, or give this one a data_dir of its own"
                )
            try:
                self._owner.sign(os.getpid())
                self._launch()
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """End the server and give up the directory. It is asked first, and killed only when it has not gone after 30 s."""
        if not self._owner.held:
            return
        try:
            self._end()
        finally:
            self._owner.close()

    def alive(self) -> bool:
        """Whether the process is there and its socket takes connections; a slow or loading server is alive."""
        return self._process is not None and self._process.poll() is None and listens(socket_path(self.data_dir))

    def restart(self) -> None:
        """Have a server again after :meth:`alive` said no; what is left of the old one is ended first. Raises as :meth:`start`."""
        if not self._owner.held:
            self.start()
            return
        with mending(self.directory):
            self._end()
            self._make_room()
            self._launch()

    def _make_room(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket_path(self.data_dir).parent.mkdir(mode=0o700, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _launch(self) -> None:
        """Start a server, unless one has the files open: then adopt it, or wait until it has gone."""
        deadline = time.monotonic() + _PATIENCE
        while not self._server.take():
            if self._adopt():
                return
            if time.monotonic() > deadline:
                raise StartupError(
                    f"a server with pid {self._server.signed_by()} has {self.directory} open but does not answer at {self.url}: "
                    "end that process, then start again"
                )
            time.sleep(_PAUSE)
        try:
            self._refuse_stranger()
            self._spawn()
        finally:
            self._server.close()

    def _adopt(self) -> bool:
        answer = ask(self.data_dir)
        if answer is None:
            return False
        if not answer.works_in(self.directory):
            raise StartupError(f"the server with pid {answer.pid} at {self.url} keeps its records in {answer.directory}: end it, then start again")
        self._progress(f"taking over the Redis server with pid {answer.pid}, which a bridge that was killed left running")
        try:
            with connect(self.data_dir) as client:
                client.config_set("appendfsync", FSYNC[self.durability])
        except RedisConnectionError:
            return False  # it was about to end
        self._process = _Adopted(answer.pid, self._server.path)
        return self._ready(self._process)

    def _refuse_stranger(self) -> None:
        """Who answers without holding the lock is not ours, or lost its lock file: two servers on the same files destroy them."""
        if answer := ask(self.data_dir):
            raise StartupError(f"the server with pid {answer.pid} at {self.url} does not hold {self._server.path}: end it, then start again")

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            said_before = log.tell()
            process = subprocess.Popen(
                [str(find_server()), *settings(self.data_dir, self.durability)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(self._server.descriptor,),
                start_new_session=True,
                umask=0o077,
            )
        self._process = process
        self._server.sign(process.pid)
        if not self._ready(process):
            raise StartupError(self._last_words(said_before))

    def _ready(self, process: "subprocess.Popen[bytes] | _Adopted") -> bool:
        """Wait until it takes commands; False when it ended instead. Patience starts anew with every sign of loading."""
        deadline = time.monotonic() + _PATIENCE
        while (answer := ask(self.data_dir)) is None or answer.loading:
            if process.poll() is not None:
                return False
            if answer:
                self._progress(answer.loading)
                deadline = time.monotonic() + _PATIENCE
            if time.monotonic() > deadline:
                raise StartupError(f"the Redis server with pid {process.pid} does not answer at {self.url}; {self.log} says what it does")
            time.sleep(_LOADING_PAUSE if answer else _PAUSE)
        return True

    def _last_words(self, said_before: int) -> str:
        with self.log.open("rb") as log:
            log.seek(said_before)
            words = log.read().decode(errors="replace")
        end = "".join(f"\n    {line}" for line in words.splitlines()[-10:])
        return f"the embedded Redis ended while it started in {self.directory}: {mend(words)}. The end of {self.log}:{end}"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            # Killed and still there means stuck in the kernel, on a dead disk; nobody can do more.
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)


class _Lock:
    """An flocked file with its holder's pid inside. Never unlinked: whoever asks must ask about the same file.

    The kernel frees it when the last process that inherited the open file is gone. Forks of Python inherit it too, so
    they close theirs at once; only the server keeps its own on purpose.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = -1
        _LOCKS.add(self)

    @property
    def held(self) -> bool:
        return self.descriptor >= 0

    def take(self) -> bool:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self.descriptor = descriptor
        return True

    def sign(self, pid: int) -> None:
        os.ftruncate(self.descriptor, os.pwrite(self.descriptor, str(pid).encode(), 0))

    def signed_by(self) -> str:
        return self.path.read_text() or "unknown"

    def close(self) -> None:
        """Let go of it. Not the same as unlocking: a server that inherited the file keeps it locked."""
        if self.held:
            os.close(self.descriptor)
            self.descriptor = -1


_LOCKS: weakref.WeakSet[_Lock] = weakref.WeakSet()


def _close_locks() -> None:
    for lock in list(_LOCKS):
        lock.close()


os.register_at_fork(after_in_child=_close_locks)


class _Adopted:
    """A server that an earlier owner started, with what is used here of Popen. It is not our child, so its lock tells whether it lives."""

    def __init__(self, pid: int, lock: Path) -> None:
        self.pid = pid
        self._lock = _Lock(lock)

    def poll(self) -> int | None:
        if not self._lock.take():
            return None
        self._lock.close()
        return 0

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), seconds)
            time.sleep(_PAUSE)
