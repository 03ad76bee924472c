"""``callbridge completion``: the shell completes commands, options, and the names of the configuration."""

import re

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

from bridge.cli.helping import examples

_PROGRAM, _VARIABLE = "callbridge", "_CALLBRIDGE_COMPLETE"
_HOW = {
    "bash": "  callbridge completion bash > ~/.local/share/bash-completion/completions/callbridge",
    "zsh": "  callbridge completion zsh > ~/.zfunc/_callbridge      (with fpath+=~/.zfunc before compinit)",
    "fish": "  callbridge completion fish > ~/.config/fish/completions/callbridge.fish",
}
_SPECIAL = re.compile(r"[^\w@%+=:,./-]")


@add_completion_class
class _Bash(BashComplete):
    """Bash puts a completion into the line as it is: the blanks of a rule's name must not end the word.

    The script reads what it is offered once, which takes one of two backslashes away.
    """

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{_SPECIAL.sub(lambda found: 2 * chr(92) + found[0], str(item.value))}"


@click.command(epilog="\n".join([examples("completion bash"), "", "\b", "To keep it:", *_HOW.values()]))
@click.argument("shell", type=click.Choice(list(_HOW)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script by which SHELL completes commands, options, and the names of sources, campaigns and rules."""
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"nothing is known of {shell}")
    click.echo(made(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
