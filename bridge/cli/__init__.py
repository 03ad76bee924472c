"""``callbridge``: thin commands over the functions that the doors share. The only part of ``bridge`` that may call out."""

import sys

import click

from bridge import __version__
from bridge.cli.check import check
from bridge.cli.demo import demo
from bridge.cli.do_not_call import do_not_call
from bridge.cli.doctor import doctor
from bridge.cli.erase import erase
from bridge.cli.events import events
from bridge.cli.explain import explain
from bridge.cli.send import send
from bridge.cli.serve import run, simulate, web, worker
from bridge.errors import CallbridgeError, ConfigError, Unusable


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


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="callbridge")
def main() -> None:
    """Turns CRM webhooks into outbound calls: each event once, and none lost.

    Exit codes: 0 done, 1 it did not work, 2 wrong use or configuration, 3 nothing matched.
    """


for command in (run, web, worker, check, doctor, explain, events, do_not_call, erase, send, simulate, demo):
    main.add_command(command)
