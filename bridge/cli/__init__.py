"""``callbridge``: thin commands over the functions that the doors share. The only part of ``bridge`` that may call out."""

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module

import click

import bridge.cli.completion  # noqa: F401 -- what the shell asks comes before any command is looked up
from bridge import __version__
from bridge.cli.helping import examples
from bridge.errors import CallbridgeError, ConfigError, Unusable

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Running": {
        "run": "the whole bridge in this terminal",
        "web": "what receives webhooks, alone",
        "worker": "what carries out, alone",
        "check": "is the configuration right, and are its tokens",
        "doctor": "is everything that should be true, true",
    },
    "Finding out": {
        "explain": "what would happen, or did happen, and why",
        "events": "look for events, replay and cancel them",
        "issues": "failures, grouped by their cause",
        "history": "who changed what by hand",
    },
    "Operating": {
        "pause": "stop all calling at once, or that of a campaign or a source",
        "resume": "let it go on",
        "switches": "what is paused",
        "replay": "many events decided again: plan, run, watch",
        "campaigns": "campaigns at the platform: status, reports, pause, stop",
        "do-not-call": "numbers that nobody calls",
        "erase": "forget a person",
    },
    "Trying": {
        "demo": "the whole bridge at work, calling nobody",
        "alerts": "send a test message to who is told by webhook",
        "send": "a webhook, signed as its CRM would sign it",
        "simulate": "the platform's API, simulated",
        "completion": "have the shell complete commands and names",
    },
}
"""Every command, in the order in which the help shows it, and what it is for in a few words."""

_ELSEWHERE = {"run": "serve", "worker": "serve", "simulate": "serve", "pause": "switches", "resume": "switches"}
"""Commands that are not in a module of their name."""


class _Commands(MutableMapping[str, click.Command]):
    """Reads a command's module when it is used: most need the ledger and the configuration, which take the better part of a second."""

    def __init__(self) -> None:
        self._modules = {name: _ELSEWHERE.get(name, name.replace("-", "_")) for commands in SECTIONS.values() for name in commands}
        self._read: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._read:
            module = import_module(f"bridge.cli.{self._modules[name]}")
            self._read[name] = getattr(module, name.replace("-", "_"))
        return self._read[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._modules.setdefault(name, name)
        self._read[name] = command

    def __delitem__(self, name: str) -> None:
        del self._modules[name]
        self._read.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules


class _Group(click.Group):
    """Turns the bridge's own errors into the contract's exit codes: 2 for a configuration or wrong use, 1 for what did not work."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
            sys.exit(2)
        except CallbridgeError as error:
            click.echo(f"callbridge: {error}", err=True)
            sys.exit(2 if isinstance(error, Unusable) else 1)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


@click.group(
    cls=_Group,
    commands=_Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=examples("demo", "explain '+1 (281) 332-2575'", "events list status:failed since:24h", "pause --note 'a wrong list'"),
)
@click.version_option(__version__, prog_name="callbridge")
def main() -> None:
    """Turns CRM webhooks into outbound calls: each event once, and none lost.

    Exit codes: 0 done, 1 it did not work, 2 wrong use or configuration, 3 nothing matched.
    """
