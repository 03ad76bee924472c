"""``callbridge send``: try a source without its CRM."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import requests

from bridge.cli.bodies import content_type, parsed_headers
from bridge.cli.options import config_option, json_option, loaded
from bridge.errors import StartupError
from bridge.sources import kinds
from bridge.wiring import clock

PATIENCE = 30


@click.command()
@click.argument("source")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", help="Where the bridge is. Default: http:// and server.bind.")
@click.option("--times", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Deliver it this often, as CRMs redeliver.")
@click.option("--at-once", type=click.IntRange(1, 64), default=1, show_default=True, help="How many of them at the same time.")
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="A further header, such as an Idempotency-Key.")
@config_option
@json_option
def send(  # noqa: PLR0917 -- click fills them by name
    source: str, file: Path, url: str | None, times: int, at_once: int, headers: tuple[str, ...], config_path: str | None, as_json: bool
) -> None:
    """Sign the body in FILE as SOURCE's CRM would, and deliver it to the bridge."""
    _, config = loaded(config_path)
    if source not in config.sources:
        raise click.BadParameter(f"no source is called '{source}'; there are {', '.join(config.sources) or 'none'}")
    adapter = kinds()[config.sources[source].kind](source, config.sources[source])
    body, path = file.read_bytes(), f"/webhooks/{source}"
    public = config.server.public_url or f"http://{config.server.bind}"
    target = (url or f"http://{config.server.bind}").rstrip("/") + path

    def deliver(_: int) -> tuple[int, str]:
        signed = {"content-type": content_type(body), **_lower(adapter.sign(body, public + path, clock())), **parsed_headers(headers)}
        try:
            answer = requests.post(target, data=body, headers=signed, timeout=PATIENCE)
        except requests.RequestException as error:
            raise StartupError(f"the bridge does not answer at {target} ({type(error).__name__}): is it running?") from error
        return answer.status_code, answer.text

    with ThreadPoolExecutor(at_once) as senders:
        answers = list(senders.map(deliver, range(times)))
    _show(answers, as_json=as_json)
    sys.exit(0 if all(status < 300 for status, _ in answers) else 1)


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _show(answers: list[tuple[int, str]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([{"status": status, "body": _body(text)} for status, text in answers], ensure_ascii=False))
        return
    for status, text in dict.fromkeys(answers):
        times = answers.count((status, text))
        click.echo(f"{times} × {status}  {text}")


def _body(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
