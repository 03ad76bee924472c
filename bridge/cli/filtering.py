"""Which events a command is about: words as in the one box of the pages, and an option for each thing that events are found by."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import click

from bridge.cli.options import CAMPAIGN, RULE, SOURCE
from bridge.filters import NAMES, Filter, parse
from bridge.model import Status

_OPTIONS: Mapping[str, tuple[str, str, Any]] = {
    "status": ("STATUS", "Its status: failed, or several as in failed,unknown.", None),
    "source": ("NAME", "Where it came from.", SOURCE),
    "campaign": ("NAME", "The campaign that it calls in.", CAMPAIGN),
    "rule": ("NAME", "The rule that matched.", RULE),
    "phone": ("PHONE", "The person's number, in any spelling.", None),
    "name": ("NAME", "The person's name, or its beginning.", None),
    "record": ("REF", "The CRM's record, such as deal:555.", None),
    "event": ("EVENT_ID", "The event's own id or key.", None),
    "job": ("ID", "The call job at the platform.", None),
    "reason": ("TEXT", "Words of its reason.", None),
    "issue": ("FINGERPRINT", "The issue it belongs to; see `callbridge issues list`.", None),
    "replay": ("ID", "The replay of many that had it decided again last.", None),
    "since": ("TIME", "Accepted since then: 24h ago, or an ISO time.", None),
    "until": ("TIME", "Accepted until then.", None),
}
_LISTS = frozenset({"status", "source", "campaign", "job", "issue", "replay"})
_SINGLE = frozenset({"reason", "since", "until"})


class _AStatus(click.ParamType[str]):
    name = "status"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        return click.Choice([status.value for status in Status]).shell_complete(ctx, param, incomplete)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each name of a filter; the command is given them under these names, for :func:`asked`."""
    for name in reversed(NAMES):
        metavar, told, kind = _OPTIONS[name]
        found_type = _AStatus() if name == "status" else kind
        many = name not in _SINGLE
        command = click.option(f"--{name}", name, metavar=metavar, type=found_type, multiple=many, help=told)(command)
    return command


def asked(words: Iterable[str], options: Mapping[str, Any], now: datetime) -> Filter:
    """What words and options mean together. Raises ``Unusable``."""
    document: dict[str, Any] = parse(" ".join(_word(word) for word in words), now).document()
    for name in NAMES:
        given = options.get(name)
        if name in _SINGLE:
            document |= {name: given} if given else {}
        elif given:
            document[name] = [*document.get(name, []), *(each for value in given for each in _each(name, value))]
    return Filter.from_document(document, now)


def _word(word: str) -> str:
    """The shell took the quotes away that kept ``rule:"call new leads"`` together; what has a second name in it was a whole search in quotes."""
    name, colon, value = word.partition(":")
    several = any(part.partition(":")[0] in NAMES and ":" in part for part in value.split())
    if colon and name in NAMES and " " in value and '"' not in value and not several:
        return f'{name}:"{value}"'
    return word


def _each(name: str, value: str) -> list[str]:
    return value.split(",") if name in _LISTS else [value]
