"""``callbridge explain``: what would happen with a body, or did happen to an event, and why. Sends nothing."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from bridge.cli.bodies import delivery_from, parsed_headers
from bridge.cli.options import config_option, json_option, loaded, query_option
from bridge.config import Config
from bridge.deciding import Policy
from bridge.errors import LedgerUnavailable, StartupError
from bridge.explaining import TAKEN_ALL_THE_SAME, Explainer, find_entries
from bridge.ledger import Ledger
from bridge.sources import kinds
from bridge.sources.base import Source
from bridge.wiring import build, clock, policy_of, require_redis

NOTHING_MATCHED = 3
_NOT_FOUND = "Nothing in the ledger matches. Try the event id, a phone number with its country code, or a ref such as deal:555."


@click.command()
@click.argument("what", metavar="FILE|EVENT_ID|PHONE|REF")
@click.option("--source", "source_name", help="The configured source that FILE would come from.")
@click.option("--kind", help="A kind of source, to read FILE without a configuration.")
@click.option("--content-type", help="FILE's media type, where it is not what the body looks like.")
@query_option
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="A header as the CRM sends it; may be repeated.")
@config_option
@json_option
def explain(**options: Any) -> None:
    """Say what would happen with the body in FILE, or what did happen to an event, and why.

    EVENT_ID, PHONE (with its country code) or REF (such as deal:555) look in the ledger. Nothing is sent.
    """
    if options["source_name"] and options["kind"]:
        raise click.UsageError("--source and --kind exclude each other: a source of the configuration, or a kind without one")
    would = bool(options["source_name"] or options["kind"])
    told = _would(**options) if would else _did(**options)
    if options["as_json"]:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show(told, would=would)
    sys.exit(0 if told["events"] else 1 if "error" in told else NOTHING_MATCHED)


def _would(*, what: str, kind: str | None, source_name: str | None, config_path: str | None, **options: Any) -> dict[str, Any]:
    if not _is_file(what):
        raise click.BadParameter(f"there is no file {what}", param_hint="FILE")
    source, explainer, public = _without_config(kind) if kind else _with_config(source_name or "", config_path)
    headers = parsed_headers(options["headers"])
    if options["content_type"]:
        headers["content-type"] = options["content_type"]
    now = clock()
    query = f"?{options['query']}" if options["query"] else ""
    delivery = delivery_from(Path(what), source.name, f"{public}/webhooks/{source.name}{query}", headers, now)
    return explainer.delivery(source, delivery, now)


def _did(*, what: str, config_path: str | None, content_type: str | None, headers: tuple[str, ...], **_: Any) -> dict[str, Any]:
    if _is_file(what) or content_type or headers:
        raise click.UsageError("say which source the file would come from: --source NAME, or --kind KIND")
    config = loaded(config_path)[1]
    require_redis(config)
    services = build(config)
    entries = find_entries(services.ledger, list(config.sources), what.encode("utf-8", "replace").decode())
    explainer = _explainer(config)
    # Whatever is in the ledger had proved itself when it came.
    return {"verified": True, "events": [explainer.entry(entry) for entry in entries]}


def _is_file(what: str) -> bool:
    try:
        return Path(what).exists() and not Path(what).is_dir()
    except OSError:  # longer than any file's name may be
        return False


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
    explainer = replace(_explainer(config), ledger=_reachable_ledger(config))
    return kinds()[settings.kind](name, settings), explainer, config.server.public_url or f"http://{config.server.bind}"


def _explainer(config: Config) -> Explainer:
    return Explainer(policy=policy_of(config), base_url=config.calls_api.base_url, crm_params=config.calls_api.crm_params.value)


def _reachable_ledger(config: Config) -> Ledger | None:
    """What is remembered counts where it can be asked; a file can be explained on a machine without a bridge all the same."""
    try:
        require_redis(config)
        services = build(config, redis_timeout=1.0)
        services.ledger.due_count(clock())
    except (StartupError, LedgerUnavailable):
        click.echo(
            "note: the ledger cannot be asked now, so what it remembers (duplicates, stop marks, cooldowns, do-not-call) is left out", err=True
        )
        return None
    return services.ledger


def _show(told: dict[str, Any], *, would: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if told["verified"] is not True:
        refused = "" if told["verified"].endswith(TAKEN_ALL_THE_SAME) else ". Delivered like this it would be answered 401 and change nothing"
        console.print(f"[bold]Not verified[/]  {escape(told['verified'])}{refused}.")
    elif would:
        console.print("[bold]Signature[/]  genuine")
    if "error" in told:
        console.print(f"[bold]Refused (422)[/]  {escape(told['error'])}")
    elif not told["events"]:
        console.print("There is no event in this body." if would else _NOT_FOUND)
    for event in told["events"]:
        _show_event(console, event)


def _show_event(console: Console, told: dict[str, Any]) -> None:
    decision = told["decision"]
    console.rule()
    console.print(f"[bold]{decision['status']}[/]  {escape(decision['reason'])}")
    console.print(f"event key  {told['event_key']}\nfact key   {told['fact_key']}", markup=False)
    for line in decision["trace"]:
        console.print(f"  rule  {line}", markup=False)
    for attempt in decision.get("attempts", ()):
        console.print(f"  {attempt['at']}  {attempt['what']}: {attempt['outcome']}  {attempt['note']}  ({attempt['seconds']} s)", markup=False)
    for request in decision["requests"]:
        headers = [f"{name}: {value}" for name, value in request["headers"].items()]
        lines = [f"{request['method']} {request['url']}", *headers, request["body"]]
        console.print("\n".join(f"    {line}" for line in lines if line), markup=False)
    console.print(Syntax(json.dumps(told["event"], indent=2, ensure_ascii=False), "json", background_color="default", word_wrap=True))
