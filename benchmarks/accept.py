"""What it costs to take in a webhook: signature, parse, rules, one atomic write that is on disk before the answer.

    python -m benchmarks.accept

Beside an empty Flask application on the same gunicorn settings, in turns, loaded by wrk over 32 connections. Four things: requests a second, each
another event; how long they take at half of what the empty application can do; batches of 100 as HubSpot sends them; and a storm of
redeliveries, nine of ten requests having been there before.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import click

from benchmarks.comparing import Figure, Goal, in_turns
from benchmarks.filling import creation, lead
from benchmarks.servers import bridge, running_empty, running_web
from benchmarks.table import show
from benchmarks.wrk import CONNECTIONS, Found, Shot, fire
from bridge.sources.base import Source
from bridge.wiring import sources

MOST_A_SECOND = 12_000
"""Requests that are made ready for each second: more than any of these servers takes."""

_numbers = count(1_000_000)


@dataclass(frozen=True, slots=True)
class Gun:
    """The same requests for either side. ``url`` is the product's: what HubSpot signs has its address in it."""

    url: str
    generic: Source
    hubspot: Source
    seconds: float

    def single(self, url: str) -> Found:
        return fire(url, self.singles(int(self.seconds * MOST_A_SECOND)), self.seconds)

    def calm(self, url: str, rate: float) -> Found:
        return fire(url, self.singles(int(self.seconds * rate * 2)), self.seconds, pause=CONNECTIONS / rate)

    def storm(self, url: str) -> Found:
        return fire(url, self.repeated(int(self.seconds * MOST_A_SECOND)), self.seconds)

    def batches(self, url: str) -> Found:
        return fire(url, self.hundreds(int(self.seconds * 400)), self.seconds)

    def singles(self, most: int) -> Iterator[Shot]:
        for _ in range(most):
            yield self._signed(self.generic, json.dumps(lead(next(_numbers))))

    def repeated(self, most: int) -> Iterator[Shot]:
        """Each ten times: at once, as retries of several senders are."""
        for _ in range(most // 10 // 64):
            some = list(self.singles(64))
            for _ in range(10):
                yield from some

    def hundreds(self, most: int) -> Iterator[Shot]:
        for _ in range(most):
            yield self._signed(self.hubspot, json.dumps([creation(next(_numbers)) for _ in range(100)]))

    def _signed(self, source: Source, body: str) -> Shot:
        signed = source.sign(body.encode(), f"{self.url}/webhooks/{source.name}", datetime.now(UTC))
        return Shot(path=f"/webhooks/{source.name}", headers=dict(signed.headers), body=signed.body)


def measure(seconds: float, rounds: int) -> list[Figure]:
    """All four, one after the other on the same servers."""
    with bridge() as made, running_web(made) as product, running_empty(made) as empty:
        known = sources(made.config)
        gun = Gun(product, known["zapier"], known["hubspot"], seconds)

        def rate(shoot: Callable[[str], Found], url: str, times: int = 1) -> Callable[[], float]:
            return lambda: shoot(url).rate * times

        single, baseline = in_turns(rounds, rate(gun.single, product), rate(gun.single, empty))
        half = sorted(baseline)[len(baseline) // 2] / 2
        p99, p99_empty = in_turns(rounds, lambda: gun.calm(product, half).p99, lambda: gun.calm(empty, half).p99)
        batch, alone = in_turns(rounds, rate(gun.batches, product, 100), rate(gun.single, product))
        storm, baseline_then = in_turns(rounds, rate(gun.storm, product), rate(gun.storm, empty))
    over = "over an empty POST"
    return [
        Figure(path="accept", measure=f"requests/s {over}", goal=Goal(least=0.45), unit="/s", product=single, baseline=baseline),
        Figure(
            path="accept",
            measure="p99 over the empty POST's, at half of what that can do",
            goal=Goal(most=2),
            unit="ms",
            product=p99,
            baseline=p99_empty,
            note=f"at {half:,.0f} requests/s",
        ),
        Figure(path="accept", measure="events/s in HubSpot batches of 100 over single", goal=Goal(least=5), unit="/s", product=batch, baseline=alone),
        Figure(
            path="accept", measure=f"redelivery storm, requests/s {over}", goal=Goal(least=0.55), unit="/s", product=storm, baseline=baseline_then
        ),
    ]


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="Of load in each run.")
@click.option("--rounds", default=3, show_default=True, help="How often both sides take their turn.")
def main(seconds: float, rounds: int) -> None:
    """Time what it costs to take in a webhook."""
    show(measure(seconds, rounds))


if __name__ == "__main__":
    main()
