"""How long whole pages and API answers take, with few events in the ledger and with many: from the request to the last byte, in one web process.

    python -m benchmarks.pages --events 10000 --events 1000000

Fills a Redis of its own as `benchmarks.search` does. A million events take some ten minutes and 3 GB.
"""

import json
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click
from flask.testing import FlaskClient
from redis import Redis
from rich.console import Console
from rich.table import Table

from benchmarks.dashboard import note
from benchmarks.redis import running_redis
from benchmarks.search import fill
from bridge.app import create_app
from bridge.config import load
from bridge.ledger import Totals
from bridge.wiring import build

TOKEN = "token-of-the-measurement"  # noqa: S105 -- opens nothing that lasts

_CONFIG = """
redis: {{url: "unix://{place}", durability: unsafe}}
data_dir: {folder}
server: {{operators: {{anna: {token}}}}}
campaigns: {{welcome: {{token: a}}, follow-up: {{token: b}}}}
sources:
  hubspot: {{kind: hubspot, secret: {token}}}
  pipedrive: {{kind: generic, secret: {token}}}
  zapier: {{kind: generic, secret: {token}}}
  amocrm: {{kind: generic, secret: {token}}}
rules:
  - {{name: call new leads, on: deal.created, call: {{campaign: welcome, cooldown: 12h}}}}
"""
LOOKED_AT = (
    ("the dashboard", "/ops/"),
    ("a search", "/ops/search?q=(281)+300-2575"),
    ("a search by four at once", "/ops/search?q=status:failed+source:hubspot+rule:%22call+back%22+since:7d"),
    ("everything", "/ops/search"),
    ("one event", "/ops/events/amocrm:event-5007"),
    ("issues", "/ops/issues"),
    ("sources", "/ops/sources"),
    ("campaigns", "/ops/campaigns"),
    ("the API's first page of what failed", "/api/v1/events?status=failed"),
    ("the API's event", "/api/v1/events/amocrm:event-5007"),
    ("/metrics", "/metrics"),
    ("switches", "/ops/switches"),
)


@contextmanager
def browser(redis: Redis) -> Iterator[FlaskClient]:
    """Logged in, and with the token for the API."""
    with tempfile.TemporaryDirectory(prefix="cb-bench-") as folder:
        path = Path(folder) / "callbridge.yaml"
        place = redis.connection_pool.connection_kwargs["path"]
        path.write_text(_CONFIG.format(place=place, folder=folder, token=TOKEN), encoding="utf-8")
        client = create_app(build(load(path, {}))).test_client()
        form = client.get("/ops/login").get_data(as_text=True)
        seal = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
        client.post("/ops/login", data={"token": TOKEN, "csrf_token": seal[1] if seal else ""})
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
        yield client


def timed(client: FlaskClient, address: str, times: int) -> list[float]:
    """Milliseconds of each try, the shortest first."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        answer = client.get(address)
        answer.get_data()
        taken.append((time.perf_counter() - started) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{address} answered {answer.status_code}")
    return sorted(taken)


@click.command()
@click.option("--events", "sizes", type=click.IntRange(10_000, 5_000_000), multiple=True, default=(10_000, 1_000_000), show_default=True)
@click.option("--times", type=click.IntRange(3, 1000), default=20, show_default=True, help="Tries of each page.")
@click.option("--json", "as_json", is_flag=True)
def main(sizes: Sequence[int], times: int, *, as_json: bool) -> None:
    """Time whole pages."""
    console, measured = Console(stderr=as_json), dict[str, dict[int, tuple[float, float]]]()
    for count in sizes:
        with running_redis() as redis:
            fill(redis, count, console)
            note(redis, Totals(redis))
            with browser(redis) as client:
                for name, address in LOOKED_AT:
                    taken = timed(client, address, times)
                    measured.setdefault(name, {})[count] = (median(taken), taken[int(len(taken) * 0.95) - 1])
    if as_json:
        click.echo(json.dumps({"milliseconds": measured}, indent=2))
        return
    table = Table("page", *(f"{count:,} events" for count in sizes), title="median, 95th percentile (ms)")
    for name, rows in measured.items():
        table.add_row(name, *(f"{rows[count][0]:.1f}  {rows[count][1]:.1f}" for count in sizes))
    console.print(table)


if __name__ == "__main__":
    main()
