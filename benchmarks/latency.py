"""How long it takes from the answer to a webhook to the request at the Calls API, when there is nothing else to do.

    python -m benchmarks.latency

Whole processes: ``callbridge web``, ``callbridge worker``, Redis with every command on disk before it answers, and a Calls API that notes when
each request came. One webhook after the other, with a pause between.
"""

import time

import click
import requests

from benchmarks.comparing import Figure, Goal, percentile
from benchmarks.filling import signed
from benchmarks.platform import running_platform
from benchmarks.servers import bridge, running_web, running_worker
from benchmarks.table import show


def spans(events: int, pause: float) -> list[float]:
    """Milliseconds for each of so many events."""
    answered: dict[str, float] = {}
    with running_platform() as platform, bridge(platform.url) as made, running_web(made) as url, running_worker(made), requests.Session() as session:
        time.sleep(3)  # both worker processes listen
        for _ in range(events):
            delivery = signed(made, f"{url}/webhooks/zapier")
            answer = session.post(delivery.url, data=delivery.body, headers=dict(delivery.headers), timeout=10)
            answered[f"zapier:{answer.json()['events'][0]['id']}"] = time.time()
            time.sleep(pause)
        time.sleep(1)
        arrivals = platform.arrivals()
    return [(arrivals[key] - at) * 1000 for key, at in answered.items()]


def measure(events: int, pause: float) -> list[Figure]:
    found, note = spans(events, pause), f"{events} events, {pause * 1000:.0f} ms apart"
    middle, slow = percentile(found, 0.5), percentile(found, 0.99)
    return [
        Figure(path="latency", measure="from the 202 to the Calls API: p50", goal=Goal(most=10), unit="ms", product=[middle], note=note),
        Figure(path="latency", measure="from the 202 to the Calls API: p99", goal=Goal(most=40), unit="ms", product=[slow], note=note),
    ]


@click.command()
@click.option("--events", default=200, show_default=True, help="How many webhooks are sent.")
@click.option("--pause", default=0.1, show_default=True, help="Seconds between two.")
def main(events: int, pause: float) -> None:
    """Time how soon the platform is asked."""
    show(measure(events, pause))


if __name__ == "__main__":
    main()
