"""What came of the demo, in tables that need no manual."""

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge.cli.demo.sending import Delivered
from bridge.cli.demo.setting import Stage
from bridge.cli.posting import Answered
from bridge.keys import event_key
from bridge.model import Entry, Status
from bridge.phones import mask

_COLOURS = {"done": "green", "ignored": "bright_black", "suppressed": "yellow", "failed": "red"}


def show_results(console: Console, stage: Stage, delivered: list[Delivered]) -> None:
    """Deliveries, events and calls; then the sum."""
    entries = _entries(stage, delivered)
    calls = {call["id"]: call for call in requests.get(f"{stage.simulator}/simulator/calls", timeout=10).json()["calls"]}
    console.print(_deliveries(delivered))
    console.print(_events(entries))
    console.print(_calls(entries, calls))
    console.print(_sum(delivered, entries, calls))


def show_next_steps(console: Console, stage: Stage) -> None:
    """What to try now; every line works when pasted."""
    command, config = _command(), f"--config {os.path.relpath(stage.config_path)}"
    batch = os.path.relpath(stage.samples / "hubspot_batch.json")
    curl = (
        f"curl -X POST {stage.url}/webhooks/zapier -H 'Authorization: Bearer demo-zapier' -H 'Content-Type: application/json' "
        """-d '{"event_id": "my-1", "type": "lead.created", "phone": "+1 202-555-0142", "name": "Alex Doe"}'"""
    )
    console.print("\n[bold]It stays up. Try:[/]\n")
    steps = (
        ("the pages for operators; the token is demo-operators-token", f"{stage.url}/ops/"),
        ("the simulated platform and its calls", f"{stage.simulator}/simulator/"),
        ("is the bridge ready, and how durable is what it accepts", f"{stage.url}/readyz"),
        ("send a lead yourself; paste it twice, and one call is made", curl),
        ("ask why somebody was called, or was not", f"{command} explain '+1 202-555-0127' {config}"),
        ("what would a webhook do, and why? nothing is sent", f"{command} explain {batch} --source hubspot {config}"),
        ("send one signed as its CRM signs, 31 times over 8 connections", f"{command} send hubspot {batch} --times 31 --at-once 8 {config}"),
    )
    for why, what in steps:
        console.print(f"  [bright_black]# {why}[/]")
        console.print(f"  {what}\n", markup=False, soft_wrap=True)
    console.print(f"  Its log is {os.path.relpath(stage.log)}. Ctrl-C ends it.", markup=False, soft_wrap=True)


def _deliveries(delivered: list[Delivered]) -> Table:
    table = _table("What came in", "webhook", "sent", "answers")
    for parcel, answers in ((one.parcel, one.answers) for one in delivered):
        sent = f"{parcel.times} ×" + (f", {parcel.at_once} at once" if parcel.at_once > 1 else "")
        table.add_row(parcel.title, sent, "\n".join(_answers(answers)))
    return table


def _answers(answers: Iterable[Answered]) -> list[str]:
    counted = Counter(_told(answer) for answer in answers)
    return [f"{times} × {escape(told)}" for told, times in sorted(counted.items(), reverse=True)]


def _told(answer: Answered) -> str:
    body = json.loads(answer.body)
    return f"{answer.status} {body['status']}" if answer.good else f"{answer.status} {body['error']['message']}"


def _events(entries: list[Entry]) -> Table:
    table = _table("What it meant", "event", "repeats turned away", "outcome", "why")
    for entry in entries:
        status = f"[{_COLOURS.get(entry.status, 'cyan')}]{entry.status}[/]"
        table.add_row(f"{entry.event.type}\n[bright_black]{entry.event.source}[/]", str(entry.duplicates), status, escape(entry.reason))
    return table


def _calls(entries: list[Entry], calls: dict[str, Any]) -> Table:
    table = _table("Who is called, at the simulated platform", "phone", "campaign", "call job", "state", "idempotence key")
    for entry in entries:
        for job in entry.jobs:
            call = calls.get(job, {"status": "made by an earlier demo", "phone": ""})
            table.add_row(mask(f"+{call['phone']}"), entry.campaign or "", job, call["status"], escape(entry.key))
    return table


def _sum(delivered: list[Delivered], entries: list[Entry], calls: dict[str, Any]) -> str:
    deliveries = sum(len(one.answers) for one in delivered)
    turned_away = sum(entry.duplicates for entry in entries)
    made = sum(entry.status is Status.DONE and bool(entry.jobs) for entry in entries)
    repeated = len(calls) - len({call["idempotence_key"] for call in calls.values()})
    return (
        f"[bold]{deliveries} deliveries, {len(entries)} different events, {turned_away} repeats turned away, "
        f"{made} calls; {'nobody is' if not repeated else f'{repeated} people are'} called twice.[/]"
    )


def _entries(stage: Stage, delivered: list[Delivered]) -> list[Entry]:
    keys = dict.fromkeys(event_key(one.parcel.source, event_id) for one in delivered for event_id in one.event_ids)
    return [entry for key in keys if (entry := stage.services.ledger.entry(key))]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", header_style="bright_black", expand=True, box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _command() -> str:
    """How this program was called, for lines to paste: by name where it is on the path."""
    started = Path(sys.argv[0])
    found = shutil.which(started.name)
    if found and Path(found).resolve() == started.resolve():
        return started.name
    return os.path.relpath(started)
