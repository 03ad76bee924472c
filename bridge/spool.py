"""Deliveries of CRMs that never send twice, on disk for as long as Redis cannot take them; taken in once it can, once, in the order they came.

One file a delivery. It is on the disk, name and all, before the CRM is answered; it is removed after the ledger has taken it, so a crash
between the two has it taken in twice, which the ledger recognises. Verified deliveries only, without secrets.
"""

import fcntl
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from bridge.deliveries import kept, restored
from bridge.errors import LedgerUnavailable, Unreadable
from bridge.model import Delivery, to_ms

MOST = 100_000
"""Files: at a few kilobytes each a disk notices, and whoever keeps Redis away for that long has been called."""

_LOOK = 1.0
_BROKEN = ".broken"

_log = logging.getLogger("callbridge.spool")


class Spool:
    """One folder, shared by all web processes of a host."""

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self.folder = folder
        self._most = most
        self._told: set[str] = set()

    def keep(self, delivery: Delivery) -> None:
        """Returns when it is durable. ``LedgerUnavailable`` when this cannot be promised either."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if len(self.waiting()) >= self._most:
                raise LedgerUnavailable(f"the spool is full ({self._most} deliveries)")
            name = f"{to_ms(delivery.received_at):015}-{uuid4().hex}"
            _write(self.folder / f".{name}", json.dumps(kept(delivery)))
            (self.folder / f".{name}").rename(self.folder / name)
            _sync(self.folder)
        except OSError as error:
            raise LedgerUnavailable(f"the spool cannot be written: {error.strerror}") from error

    def waiting(self) -> list[Path]:
        """What is to be taken in, the oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if not path.name.startswith(".") and not path.name.endswith(_BROKEN))

    def broken(self) -> list[Path]:
        """What was set aside because it could not be read."""
        return sorted(self.folder.glob(f"*{_BROKEN}"))

    def drain(self, take: Callable[[Delivery], object]) -> int:
        """Hand everything to ``take``, in order, unless another process is at it; how many were taken.

        Ends when ``take`` raises ``LedgerUnavailable``: then nothing after that one is tried, and nothing is lost. What it cannot read
        (``Unreadable``) stays too, and holds up nobody.
        """
        taken = 0
        if not self.waiting():
            return 0
        with self._alone() as alone:
            for path in self.waiting() if alone else ():
                delivery = _read(path)
                if delivery is None:
                    continue
                try:
                    take(delivery)
                except LedgerUnavailable:
                    break
                except Unreadable as unread:
                    self._tell(path, unread)
                    continue
                path.unlink()
                taken += 1
        return taken

    def run(self, take: Callable[[Delivery], object], stopping: threading.Event) -> None:
        """Drain whenever there is something, until told to stop; a disk that fails for a while ends nothing."""
        while not stopping.wait(_LOOK):
            try:
                if taken := self.drain(take):
                    _log.warning("deliveries kept on disk while Redis was away are taken in", extra={"taken": taken, "left": len(self.waiting())})
            except OSError as error:
                _log.error("the spool cannot be read; its deliveries wait", extra={"why": error.strerror})

    def _tell(self, path: Path, unread: Unreadable) -> None:
        """Once a delivery, not every second."""
        if path.name not in self._told:
            self._told.add(path.name)
            _log.error("a spooled delivery waits on disk: %s", unread.message, extra={"file": path.name})

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def _read(path: Path) -> Delivery | None:
    """None for a file that is none of ours, or that a failing disk has spoilt: it is set aside, where somebody can look at it."""
    try:
        return restored(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError):
        _log.exception("a spooled delivery cannot be read and is set aside", extra={"file": path.name})
        with suppress(OSError):
            path.rename(path.with_name(path.name + _BROKEN))
        return None


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """A name is durable when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
