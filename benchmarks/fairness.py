"""Whether a slow campaign, or a slow CRM, keeps the others from being called: how much of their rate they keep beside it.

    python -m benchmarks.fairness

Three campaigns at 50 ms are given events at a steady rate, first by themselves, then beside one that takes 5 s for each call and has many more
events due than it can have under way; then beside a CRM that takes as long to tell a contact's number.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import click

from benchmarks.comparing import Figure, Goal, in_turns
from benchmarks.filling import fill, fill_contacts
from benchmarks.platform import Platform, running_platform
from benchmarks.servers import Bridge, bridge, running_worker
from benchmarks.table import show

OTHERS = ("50ms-a", "50ms-b", "50ms-c")
SLOW = "5000ms"
BESIDE = 2000
"""Events of the slow one that are due when it begins: hours of its work."""


@dataclass(frozen=True, slots=True)
class Race:
    """``rate``: events a second that the others are given between them."""

    platform: Platform
    seconds: float
    rate: float
    options: tuple[str, ...] = ()

    def alone(self) -> float:
        return self._run(lambda _: None)

    def beside_campaign(self) -> float:
        return self._run(lambda made: fill(made, BESIDE, SLOW))

    def beside_crm(self) -> float:
        return self._run(lambda made: fill_contacts(made, BESIDE))

    def _run(self, before: Callable[[Bridge], None]) -> float:
        """How many calls a second the others made."""
        campaigns = {name: name for name in (*OTHERS, SLOW)}
        with bridge(self.platform.url, campaigns, crm=f"{self.platform.url}/campaign/{SLOW}/crm") as made:
            before(made)
            with running_worker(made, "--processes", "1", *self.options):
                time.sleep(3)  # it has as much of the slow one in hand as it ever will
                giving = threading.Thread(target=self._give, args=(made,))
                giving.start()
                time.sleep(1)
                had, began = self._made(), time.perf_counter()
                time.sleep(self.seconds)
                found = (self._made() - had) / (time.perf_counter() - began)
                giving.join()
                return found

    def _made(self) -> int:
        counts = self.platform.counts()
        return sum(counts.get(name, 0) for name in OTHERS)

    def _give(self, made: Bridge) -> None:
        """A few of each, ten times a second."""
        until, some = time.perf_counter() + self.seconds + 1.5, round(self.rate / 10 / len(OTHERS))
        at = time.perf_counter()
        while at < until:
            for name in OTHERS:
                fill(made, some, name)
            at += 0.1
            time.sleep(max(0.0, at - time.perf_counter()))


def measure(seconds: float, rounds: int, rate: float = 300, *options: str) -> list[Figure]:
    with running_platform() as platform:
        race = Race(platform, seconds, rate, options)
        alone, campaign, crm = in_turns(rounds, race.alone, race.beside_campaign, race.beside_crm)
    what, goal, note = "others' calls/s beside a slow {}, over those without it", Goal(least=0.9), f"{rate:,.0f}/s given, {BESIDE:,} slow ones due"
    return [
        Figure(path="fairness", measure=what.format("campaign"), goal=goal, unit="/s", product=campaign, baseline=alone, note=note),
        Figure(path="fairness", measure=what.format("CRM"), goal=goal, unit="/s", product=crm, baseline=alone, note=note),
    ]


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="Of each run.")
@click.option("--rounds", default=2, show_default=True, help="How often each takes its turn.")
@click.option("--rate", default=300.0, show_default=True, help="Events a second that the others are given.")
@click.option("--concurrency", type=int, help="The worker's, if not its default.")
def main(seconds: float, rounds: int, rate: float, concurrency: int | None) -> None:
    """Time what others keep beside a slow campaign or CRM."""
    show(measure(seconds, rounds, rate, *(["--concurrency", str(concurrency)] if concurrency else [])))


if __name__ == "__main__":
    main()
