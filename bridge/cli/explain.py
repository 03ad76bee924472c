"""``callbridge explain``: what would happen with a body, or did happen to an event, and why. Sends nothing."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from bridge.cli.bodies import delivery_from, parsed_headers
from bridge.cli.options import config_option, json_option, loaded
from bridge.config import Config
from bridge.deciding import Policy
from bridge.explaining import Explainer, find_entries
from bridge.sources import kinds
from bridge.sources.base import Source
from bridge.wiring import build, clock, policy_of, require_redis

NOTHING_MATCHED = 3


@click.command()
@click.argument("what", metavar="FILE|EVENT_ID|PHONE|REF")
@click.option("--source", "source_name", help="The configured source that FILE would come from.")
@click.option("--kind", help="A kind of source, to read FILE without a configuration.")
@click.option("--content-type", help="FILE's media type, where it is not what the body looks like.")
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="A header as the CRM sends it; may be repeated.")
@config_option
@json_option
def explain(**options: Any) -> None:
    """Say what would happen with the body in FILE, or what did happen to an event, and why.

    EVENT_ID, PHONE (with its country code) or REF (such as deal:555) look in the ledger. Nothing is sent.
    """
    file = Path(options["what"])
    if options["source_name"] or options["kind"]:
        if not file.is_file():
            raise click.BadParameter(f"there is no file {file}", param_hint="FILE")
        told = _would(file, **options)
    else:
        told = _did(options["what"], options["config_path"])
    _show(told, as_json=options["as_json"])
    sys.exit(0 if told["events"] else 1 if "error" in told else NOTHING_MATCHED)


def _would(file: Path, **options: Any) -> dict[str, Any]:
    source, explainer, public = _without_config(options["kind"]) if options["kind"] else _with_config(options["source_name"], options["config_path"])
    headers = parsed_headers(options["headers"])
    if options["content_type"]:
        headers["content-type"] = options["content_type"]
    now = clock()
    delivery = delivery_from(file, source.name, f"{public}/webhooks/{source.name}", headers, now)
    return explainer.delivery(source, delivery, now)


def _did(wanted: str, config_path: str | None) -> dict[str, Any]:
    if Path(wanted).is_file():
        raise click.UsageError("say which source the file would come from: --source NAME, or --kind KIND")
    _, config = loaded(config_path)
    require_redis(config)
    services = build(config)
    entries = find_entries(services.ledger, list(config.sources), wanted)
    explainer = _explainer(config)
    return {"events": [explainer.entry(entry) for entry in entries]}


def _without_config(kind: str) -> tuple[Source, Explainer, str]:
    if kind not in kinds():
        raise click.BadParameter(f"'{kind}' is no kind of source; there are {', '.join(kinds())}", param_hint="--kind")
    adapter = kinds()[kind]
    source = adapter(kind, adapter.settings_type.model_validate({"kind": kind}))
    return source, Explainer(policy=Policy(), base_url="https://ds.tovie.ai"), "http://127.0.0.1:8000"


def _with_config(name: str, config_path: str | None) -> tuple[Source, Explainer, str]:
    _, config = loaded(config_path)
    if name not in config.sources:
        raise click.BadParameter(f"no source is called '{name}'; there are {', '.join(config.sources) or 'none'}", param_hint="--source")
    settings = config.sources[name]
    return kinds()[settings.kind](name, settings), _explainer(config), config.server.public_url or f"http://{config.server.bind}"


def _explainer(config: Config) -> Explainer:
    return Explainer(policy=policy_of(config), base_url=config.calls_api.base_url, crm_params=config.calls_api.crm_params.value)


def _show(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False)
    if "verified" in told:
        console.print(f"[bold]Signature[/]  {'genuine' if told['verified'] is True else escape(told['verified'])}", soft_wrap=True)
    if "error" in told:
        console.print(f"[bold]Not understood[/]  {escape(told['error'])}", soft_wrap=True)
    for event in told["events"]:
        _show_event(console, event)
    if not told["events"] and "error" not in told:
        console.print("Nothing in the ledger matches. Try the event id, a phone with its country code, or a ref such as deal:555.")


def _show_event(console: Console, told: dict[str, Any]) -> None:
    decision = told["decision"]
    console.rule()
    console.print(f"[bold]{decision['status']}[/]  {escape(decision['reason'])}", soft_wrap=True)
    console.print(f"event key  {told['event_key']}\nfact key   {told['fact_key']}", markup=False, soft_wrap=True)
    for line in decision["trace"]:
        console.print(f"  rule  {line}", markup=False, soft_wrap=True)
    for attempt in decision.get("attempts", ()):
        console.print(
            f"  {attempt['at']}  {attempt['what']}: {attempt['outcome']}  {attempt['note']}  ({attempt['seconds']} s)", markup=False, soft_wrap=True
        )
    for request in decision["requests"]:
        lines = [
            f"{request['method']} {request['url']}",
            *(f"{name}: {value}" for name, value in request["headers"].items()),
            request.get("body", ""),
        ]
        console.print("\n".join(f"    {line}" for line in lines if line), markup=False, soft_wrap=True)
    console.print(Syntax(json.dumps(told["event"], indent=2, ensure_ascii=False), "json", background_color="default", word_wrap=True))
