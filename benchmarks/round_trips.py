"""How often the product asks Redis: for one delivery that is taken in, and for one event that is delivered at load.

    python -m benchmarks.round_trips

Counted by Redis itself (``MONITOR``): what clients send, without what scripts do inside Redis. Everything that is sent while the measurement
lasts counts, chores and wake-ups included.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
import requests

from benchmarks.comparing import Figure, Goal
from benchmarks.filling import fill, signed
from benchmarks.platform import running_platform
from benchmarks.servers import Bridge, bridge, running_web, running_worker
from benchmarks.table import show
from bridge.ledger import connect
from bridge.wiring import build

LATENCY = "50ms"


@dataclass
class Counted:
    """Commands that clients have sent."""

    commands: int = 0


@contextmanager
def counting(made: Bridge) -> Iterator[Counted]:
    counted, ends = Counted(), "the counting ends"
    listening = threading.Event()

    def listen() -> None:
        with connect(made.redis_url, timeout=60).monitor() as monitor:
            listening.set()
            for told in monitor.listen():
                if ends in told["command"]:
                    return
                counted.commands += told["client_type"] != "lua"

    listener = threading.Thread(target=listen)
    listener.start()
    listening.wait(10)
    yield counted
    made.redis.echo(ends)
    listener.join(120)


def accepting(deliveries: int) -> float:
    """Commands for each of so many deliveries, one after the other."""
    with bridge() as made, running_web(made) as url, requests.Session() as session:
        _post(session, made, url)  # scripts are loaded once
        with counting(made) as counted:
            for _ in range(deliveries):
                _post(session, made, url)
    return counted.commands / deliveries


def _post(session: requests.Session, made: Bridge, url: str) -> None:
    delivery = signed(made, f"{url}/webhooks/zapier")
    session.post(delivery.url, data=delivery.body, headers=dict(delivery.headers), timeout=10).raise_for_status()


def delivering(events: int) -> float:
    """Commands for each of so many events, from the start of the worker to the end of the last."""
    with running_platform() as platform, bridge(platform.url, {LATENCY: LATENCY}) as made:
        left = build(made.config).ledger.unfinished_count
        fill(made, events, LATENCY)
        with counting(made) as counted, running_worker(made, "--processes", "1"):
            while left():
                time.sleep(0.5)
    return counted.commands / events


def measure(deliveries: int, events: int) -> list[Figure]:
    return [
        Figure(
            path="Redis",
            measure="round trips for one delivery",
            goal=Goal(most=1),
            unit="",
            product=[accepting(deliveries)],
            note="one after the other",
        ),
        Figure(
            path="Redis",
            measure="commands for one event delivered",
            goal=Goal(most=12),
            unit="",
            product=[delivering(events)],
            note=f"{events:,} due, API at 50 ms",
        ),
    ]


@click.command()
@click.option("--deliveries", default=100, show_default=True, help="How many are taken in.")
@click.option("--events", default=3000, show_default=True, help="How many are delivered.")
def main(deliveries: int, events: int) -> None:
    """Count what is asked of Redis."""
    show(measure(deliveries, events))


if __name__ == "__main__":
    main()
