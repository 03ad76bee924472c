"""How a program in the foreground is told to end: by a signal, by a terminal that is closed, by the end of what started it."""

import os
import signal
import threading

_LOOK = 0.5


def until_told(stopping: threading.Event) -> None:
    """Set the event when it is time to end.

    A closed terminal and Ctrl-\\ count, since what is killed by them leaves its Redis behind; not under ``nohup``. With
    ``CALLBRIDGE_PARENT`` in the environment, so does the end of that process.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stopping.set())
    parent = int(os.environ.get("CALLBRIDGE_PARENT") or 0)
    if parent:
        threading.Thread(target=_follow, args=(parent, stopping), daemon=True).start()


def _follow(parent: int, stopping: threading.Event) -> None:
    while os.getppid() == parent and not stopping.wait(_LOOK):
        pass
    stopping.set()
