"""``callbridge``: thin commands over the functions that the doors share. The only part of ``bridge`` that may call out."""

import sys
from collections.abc import Mapping

import click

from bridge import __version__
from bridge.cli.alerts import alerts
from bridge.cli.campaigns import campaigns
from bridge.cli.check import check
from bridge.cli.completion import completion
from bridge.cli.demo import demo
from bridge.cli.do_not_call import do_not_call
from bridge.cli.doctor import doctor
from bridge.cli.erase import erase
from bridge.cli.events import events
from bridge.cli.explain import explain
from bridge.cli.history import history
from bridge.cli.issues import issues
from bridge.cli.options import examples
from bridge.cli.replay import replay
from bridge.cli.send import send
from bridge.cli.serve import run, simulate, web, worker
from bridge.cli.switches import pause, resume, switches
from bridge.errors import CallbridgeError, ConfigError, Unusable

SECTIONS: Mapping[str, Mapping[click.Command, str]] = {
    "Running": {
        run: "the whole bridge in this terminal",
        web: "what receives webhooks, alone",
        worker: "what carries out, alone",
        check: "is the configuration right, and are its tokens",
        doctor: "is everything that should be true, true",
    },
    "Finding out": {
        explain: "what would happen, or did happen, and why",
        events: "look for events, replay and cancel them",
        issues: "failures, grouped by their cause",
        history: "who changed what by hand",
    },
    "Operating": {
        pause: "stop all calling at once, or that of a campaign or a source",
        resume: "let it go on",
        switches: "what is paused",
        replay: "many events decided again: plan, run, watch",
        campaigns: "campaigns at the platform: status, reports, pause, stop",
        do_not_call: "numbers that nobody calls",
        erase: "forget a person",
    },
    "Trying": {
        demo: "the whole bridge at work, calling nobody",
        alerts: "send a test message to who is told by webhook",
        send: "a webhook, signed as its CRM would sign it",
        simulate: "the platform's API, simulated",
        completion: "have the shell complete commands and names",
    },
}
"""Every command, in the order in which the help shows it, and what it is for in a few words."""


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
                formatter.write_dl([(command.name or "", told) for command, told in commands.items()])


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=examples("demo", "explain '+1 (281) 332-2575'", "events list status:failed since:24h", "pause --note 'a wrong list'"),
)
@click.version_option(__version__, prog_name="callbridge")
def main() -> None:
    """Turns CRM webhooks into outbound calls: each event once, and none lost.

    Exit codes: 0 done, 1 it did not work, 2 wrong use or configuration, 3 nothing matched.
    """


for command in (command for commands in SECTIONS.values() for command in commands):
    main.add_command(command)
