"""``callbridge explain``: what would happen with a body, or did happen to an event, and why. Sends nothing."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from bridge.cli.bodies import delivery_from, parsed_headers
from bridge.cli.helping import examples
from bridge.cli.looking import MOST_NAMED, NOT_FOUND, look, meant
from bridge.cli.options import NOTHING_MATCHED, SOURCE, config_option, json_option, known, loaded, meant_instead, opened, query_option
from bridge.cli.tables import COLOURS, out, shown
from bridge.config import Config
from bridge.deciding import Policy
from bridge.errors import LedgerUnavailable, StartupError
from bridge.explaining import TAKEN_ALL_THE_SAME, Explainer
from bridge.ledger import Ledger
from bridge.model import Status
from bridge.sources import kinds
from bridge.sources.base import Source
from bridge.wiring import build, clock, policy_of, require_redis


@click.command(
    epilog=examples(
        "explain lead-7",
        "explain '+1 (281) 332-2575'",
        "explain body.json --source hubspot",
        "explain body.json --kind pipedrive --json",
    )
)
@click.argument("what", metavar="FILE|EVENT_ID|PHONE|REF|WORDS")
@click.option("--source", "source_name", type=SOURCE, help="The configured source that FILE would come from.")
@click.option("--kind", help="A kind of source, to read FILE without a configuration.")
@click.option("--content-type", help="FILE's media type, where it is not what the body looks like.")
@query_option
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="A header as the CRM sends it; may be repeated.")
@click.option("--limit", type=click.IntRange(1, 1000), default=MOST_NAMED, show_default=True, help="The newest so many events of the ledger.")
@config_option
@json_option
def explain(**options: Any) -> None:
    """Say what would happen with the body in FILE, or what did happen to an event, and why.

    EVENT_ID, PHONE (in any spelling), REF (such as deal:555), a name or anything else that `events list` takes look in the ledger. Nothing is sent.
    Exit 3 when nothing matches.
    """
    if options["source_name"] and options["kind"]:
        raise click.UsageError("--source and --kind exclude each other: a source of the configuration, or a kind without one")
    would = bool(options["source_name"] or options["kind"])
    if not would and (_is_file(options["what"]) or options["content_type"] or options["headers"]):
        raise click.UsageError("say which source the file would come from: --source NAME, or --kind KIND")
    told = _would(**options) if would else did(options["what"], options["config_path"], options["limit"])
    tell(told, would=would, as_json=options["as_json"])


def did(what: str, config_path: str | None, limit: int) -> dict[str, Any]:
    """What did happen to the newest so many of the events that are meant."""
    services = opened(config_path)
    found = look(services.finder, meant(services.finder, what), limit)
    if found.next:
        click.echo(f"note: these are the newest {limit}; --limit shows more, and `callbridge events list` lists all", err=True)
    if not found.entries and Path(what).suffix in _BODIES:
        click.echo(f"note: there is no file {what} either", err=True)
    # Whatever is in the ledger had proved itself when it came.
    return {"verified": True, "events": [services.explainer.entry(entry) for entry in found.entries]}


def tell(told: dict[str, Any], *, would: bool = False, as_json: bool) -> None:
    """Say it, and end with the exit code that it has."""
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show(told, would=would)
    sys.exit(0 if told["events"] else 1 if "error" in told else NOTHING_MATCHED)


_BODIES = {".json", ".xml", ".txt", ".form"}


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


def _is_file(what: str) -> bool:
    try:
        return Path(what).exists() and not Path(what).is_dir()
    except OSError:  # longer than any file's name may be
        return False


def _without_config(kind: str) -> tuple[Source, Explainer, str]:
    if kind not in kinds():
        raise click.BadParameter(f"'{kind}' is no kind of source; there are {', '.join(kinds())}{meant_instead(kind, kinds())}", param_hint="--kind")
    adapter = kinds()[kind]
    source = adapter(kind, adapter.settings_type.model_validate({"kind": kind}))
    return source, Explainer(policy=Policy(), base_url="https://ds.tovie.ai"), "http://127.0.0.1:8000"


def _with_config(name: str, config_path: str | None) -> tuple[Source, Explainer, str]:
    _, config = loaded(config_path)
    settings = config.sources[known(name, config.sources, "source", "--source")]
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
    console = out()
    if told["verified"] is not True:
        refused = "" if told["verified"].endswith(TAKEN_ALL_THE_SAME) else ". Delivered like this it would be answered 401 and change nothing"
        _say(console, "Not verified", f"{told['verified']}{refused}.")
    elif would:
        _say(console, "Signature", "genuine")
    if "error" in told:
        _say(console, "Refused (422)", told["error"])
    elif not told["events"]:
        console.print("There is no event in this body." if would else NOT_FOUND, soft_wrap=True)
    for event in told["events"]:
        _show_event(console, event)


def _show_event(console: Console, told: dict[str, Any]) -> None:
    decision = told["decision"]
    console.rule()
    _say(console, decision["status"], decision["reason"], COLOURS[Status(decision["status"])])
    lines = [f"event key  {told['event_key']}", f"fact key   {told['fact_key']}", *(f"  rule  {line}" for line in decision["trace"])]
    lines += [
        f"  {attempt['at']}  {attempt['what']}: {attempt['outcome']}  {attempt['note']}  ({attempt['seconds']} s)"
        for attempt in decision.get("attempts", ())
    ]
    for request in decision["requests"]:
        headers = [f"{name}: {value}" for name, value in request["headers"].items()]
        lines += [f"    {line}" for line in (f"{request['method']} {request['url']}", *headers, request["body"]) if line]
    for line in lines:
        console.print(shown(line), soft_wrap=True)
    document = "\n".join(shown(line) for line in json.dumps(told["event"], indent=2, ensure_ascii=False).split("\n"))
    console.print(Syntax(document, "json", background_color="default", word_wrap=True))


def _say(console: Console, what: str, told: str, style: str = "") -> None:
    console.print(Text.assemble((what, f"bold {style}"), f"  {shown(told)}"), soft_wrap=True)
