"""``callbridge send``: try a source without its CRM."""

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from bridge.cli.bodies import parsed_headers
from bridge.cli.helping import examples
from bridge.cli.options import SOURCE, config_option, json_option, known, loaded, query_option
from bridge.cli.posting import Answered, Poster
from bridge.sources import kinds
from bridge.wiring import clock


@click.command(
    epilog=examples(
        "send hubspot body.json", "send hubspot body.json --times 31 --at-once 8", "send zapier lead.json --header 'Idempotency-Key: run-5' --json"
    )
)
@click.argument("source", type=SOURCE)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", help="Where the bridge is. Default: http:// and server.bind.")
@click.option("--times", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Deliver it this often, as CRMs redeliver.")
@click.option("--at-once", type=click.IntRange(1, 64), default=1, show_default=True, help="How many of them at the same time.")
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="A further header, such as an Idempotency-Key.")
@query_option
@config_option
@json_option
def send(  # noqa: PLR0917 -- click fills them by name
    source: str, file: Path, url: str | None, times: int, at_once: int, headers: tuple[str, ...], query: str, config_path: str | None, as_json: bool
) -> None:
    """Sign the body in FILE as SOURCE's CRM would, and deliver it to the bridge."""
    _, config = loaded(config_path)
    known(source, config.sources, "source", "SOURCE")
    if url is not None and not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"'{url}' is no address: write it with http:// or https://", param_hint="--url")
    here, body = f"http://{config.server.bind}", file.read_bytes()
    adapter = kinds()[config.sources[source].kind](source, config.sources[source])
    public, more = config.server.public_url or here, parsed_headers(headers)
    poster = Poster(source=adapter, url=(url or here).rstrip("/"), public_url=public, clock=clock, headers=more, query=query)
    with ThreadPoolExecutor(at_once) as senders:
        answers = list(senders.map(poster.post, [body] * times))
    _show(answers, as_json=as_json)
    sys.exit(0 if all(answer.good for answer in answers) else 1)


def _show(answers: list[Answered], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([{"status": answer.status, "body": _body(answer.body)} for answer in answers], ensure_ascii=False))
        return
    for answer, times in Counter(answers).items():
        click.echo(f"{times} × {answer.status}  {answer.body}")


def _body(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
