"""Every command of the contract is there, explains itself with an example, and speaks JSON where it says so."""

import click
import pytest
from click.testing import CliRunner

from bridge.cli import SECTIONS, main

CONTRACT = [
    *(
        "run",
        "web",
        "worker",
        "check",
        "doctor",
        "explain",
        "pause",
        "resume",
        "switches",
        "simulate",
        "demo",
        "send",
        "history",
        "erase",
        "completion",
    ),
    *(f"events {name}" for name in ("list", "show", "replay", "cancel")),
    *(f"campaigns {name}" for name in ("list", "show", "pause", "resume", "stop", "report")),
    *(f"do-not-call {name}" for name in ("add", "remove", "list", "import", "export")),
    *(f"issues {name}" for name in ("list", "show", "acknowledge", "resolve", "reopen")),
]
WITHOUT_JSON = {"run", "web", "worker", "simulate", "demo", "completion", "do-not-call export"}


def found(words):
    command = main
    for word in words.split():
        command = command.commands[word]
    return command


def leaves(group=main, begun=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*begun, name))
        else:
            yield " ".join((*begun, name))


@pytest.mark.parametrize("words", CONTRACT)
def test_a_command_of_the_contract_is_there_and_shows_how_it_is_used(words):
    told = CliRunner().invoke(main, [*words.split(), "--help"])

    assert told.exit_code == 0
    assert found(words).help
    assert f"callbridge {words}" in told.output.partition("Examples:")[2]


@pytest.mark.parametrize("words", sorted(set(leaves())))
def test_whatever_a_script_could_want_is_json(words):
    options = {option for parameter in found(words).params for option in parameter.opts}

    assert ("--json" in options) is (words not in WITHOUT_JSON)
    assert all(parameter.help for parameter in found(words).params if isinstance(parameter, click.Option))


def test_the_help_has_each_command_once_in_its_section():
    shown = [name for commands in SECTIONS.values() for name in commands]

    assert sorted(shown) == sorted(main.commands)
    assert len(shown) == len(set(shown))
    assert [found(name).name for name in shown] == shown
    assert all(f"\n  {name} " in CliRunner().invoke(main, ["--help"]).output for name in shown)


def test_every_option_of_the_examples_exists():
    for words in leaves():
        command = found(words)
        options = {option for parameter in command.params for option in parameter.opts}
        used = {word for line in (command.epilog or "").splitlines() if f"callbridge {words}" in line for word in line.split("|")[0].split()}
        assert {word for word in used if word.startswith("--")} <= options, words


@pytest.fixture
def used(bridge):
    """A bridge in which every command finds something."""
    bridge.receive("lead-7", entity={"type": "lead", "id": "7"})
    bridge.receive("bad", phone="12")
    bridge.work()
    bridge.run("do-not-call", "add", "+16502530001")
    bridge.run("pause", "--source", "hubspot")
    bridge.folder.write("lead.json", {"event_id": "x", "type": "lead.created", "phone": "+16502530009"})
    bridge.folder.write("list.csv", "phone\n+16502530002\n")
    return bridge


@pytest.mark.parametrize(
    "words",
    [
        "check",
        "doctor",
        "explain lead-7",
        "explain lead.json --source zapier",
        "events list",
        "events show lead-7",
        "events replay bad",
        "events replay bad --dry-run",
        "issues list",
        "history",
        "pause",
        "resume --source hubspot",
        "switches",
        "campaigns list",
        "campaigns show welcome",
        "campaigns pause welcome",
        "campaigns stop welcome --yes",
        "campaigns report welcome --since 1h",
        "do-not-call add +16502530003",
        "do-not-call remove +16502530001",
        "do-not-call list",
        "do-not-call import list.csv",
    ],
)
def test_json_is_json_and_nothing_else(used, words):
    told = used.run(*words.split(), "--json")

    assert told.document
    assert told.code in {0, 1}
