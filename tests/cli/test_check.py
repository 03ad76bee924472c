"""``callbridge check``, ``--help`` and what every command shares."""

import pytest
from click.testing import CliRunner

from bridge.cli import main

BAD = """\
mode: live
campaigns:
  welcome: {token: "${NOT_SET_ANYWHERE}"}
sources:
  zapier: {kind: generic, secret: s, colour: blue}
rules:
  - name: one
    on: lead.created
    where: "contact.name =="
    call: {campaign: welcom}
"""


def test_a_good_configuration_is_said_to_be_good_with_what_is_in_it(configured):
    told = configured.run("check")

    assert told.code == 0
    assert told.out == "config.yaml: good. 5 sources, 3 rules, 1 campaign, mode live.\n"
    assert "note: " in told.err


def test_a_bad_configuration_is_exit_2_with_every_problem_at_its_line(folder):
    folder.write("config.yaml", BAD)

    told = folder.run("check")

    assert told.code == 2
    assert [line.split(": ")[0] for line in told.err.splitlines()] == ["config.yaml:3", "config.yaml:5", "config.yaml:9", "config.yaml:10"]
    assert told.out == ""


def test_the_program_itself_exits_as_the_contract_says(folder):
    folder.write("config.yaml", BAD)

    assert folder.spawn("check").code == 2
    assert folder.spawn("--version").out.startswith("callbridge, version ")


@pytest.mark.parametrize("command", [["run"], ["web"], ["worker"], ["send", "zapier", "config.yaml"], ["explain", "1"]])
def test_every_start_stops_at_a_bad_configuration_as_check_does(folder, command):
    folder.write("config.yaml", BAD)

    told = folder.run(*command)

    assert (told.code, len(told.err.splitlines())) == (2, 4)


def test_without_a_configuration_it_says_where_one_is_looked_for(folder):
    told = folder.run("check")

    assert told.code == 2
    assert told.err == ("config.yaml: there is no such file: copy config.example.yaml there, or name yours with --config or $CALLBRIDGE_CONFIG\n")


def test_the_configuration_is_the_option_s_then_the_environment_s(configured):
    good, bad = configured.path / "config.yaml", configured.write("bad.yaml", BAD)

    assert configured.run("check", CALLBRIDGE_CONFIG=str(bad)).code == 2
    assert configured.run("check", "--config", good, CALLBRIDGE_CONFIG=str(bad)).code == 0
    assert configured.run("check", good, CALLBRIDGE_CONFIG=str(bad)).code == 0


def test_check_tells_scripts_too(configured):
    told = configured.run("check", "--json")

    assert (told.document["ok"], told.document["file"]) == (True, "config.yaml")
    assert all(isinstance(note, str) for note in told.document["warnings"])


def test_no_secret_is_ever_printed(configured):
    told = configured.run("check")

    for secret in ("campaign-token", "hubspot-client-secret", "hubspot-api-token", "correct horse", "whsec_", "zapier-secret"):
        assert secret not in told.out + told.err


@pytest.mark.parametrize("command", main.commands)
def test_every_command_explains_itself_and_its_options(command):
    result = CliRunner().invoke(main, [command, "--help"])

    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {command} ")
    assert main.commands[command].help
    assert all(option.help for option in main.commands[command].params if option.param_type_name == "option" and option.name not in {"host", "help"})


def test_the_program_says_what_it_is_for_and_its_exit_codes(folder):
    told = folder.run("--help")

    assert told.code == 0
    assert "Turns CRM webhooks into outbound calls" in told.out
    assert "0 done, 1 it did not work, 2 wrong use or configuration, 3 nothing matched" in " ".join(told.out.split())


def test_wrong_use_is_exit_2(folder):
    assert folder.run("explian").code == 2
    assert folder.run("run", "--processes", "0").code == 2
    assert folder.run("run", "--redis-wait", "soon").err.splitlines()[-1] == (
        "Error: Invalid value for '--redis-wait': 'soon' is no duration: write a number and a unit, such as 10s, 5m, 24h or 30d"
    )
