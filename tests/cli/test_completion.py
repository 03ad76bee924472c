"""``callbridge completion``: the shell completes commands, and the names of the configuration."""

import shlex
import shutil
import subprocess
import sys

import pytest

NAMED = """
campaigns: {welcome: {token: "${NOT_SET}"}, winback: {token: t}}
sources: {hubspot: {kind: hubspot}}
rules:
  - {name: call new leads, call: {campaign: welcome}}
"""


def completed(folder, *words, shell="bash"):
    """What the shell is offered for the last word."""
    line = {"COMP_WORDS": " ".join(["callbridge", *words]), "COMP_CWORD": str(len(words))}
    told = folder.run_as("callbridge", _CALLBRIDGE_COMPLETE=f"{shell}_complete", **line)
    return [each.partition(",")[2] for each in told.splitlines() if each]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("ev",), ["events"]),
        (("pause", "--ca"), ["--campaign"]),
        (("pause", "--campaign", "w"), ["welcome", "winback"]),
        (("campaigns", "stop", "wi"), ["winback"]),
        (("events", "list", "--source", ""), ["hubspot"]),
        (("events", "list", "--status", "f"), ["failed"]),
        (("send", "h"), ["hubspot"]),
    ],
)
def test_names_are_completed_from_a_configuration_that_need_not_be_right(folder, words, offered):
    folder.write("config.yaml", NAMED)

    assert completed(folder, *words) == offered


def test_without_a_configuration_there_is_nothing_to_offer(folder):
    assert completed(folder, "pause", "--campaign", "") == []


def test_names_are_those_of_the_named_configuration(folder):
    folder.write("other.yaml", "campaigns: {other: {}}")
    folder.write("broken.yaml", "campaigns: [unclosed")

    assert completed(folder, "pause", "--config", "other.yaml", "--campaign", "") == ["other"]
    assert completed(folder, "pause", "--config", "broken.yaml", "--campaign", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_for_this_program(folder, shell):
    told = folder.run("completion", shell)

    assert told.code == 0
    assert f"_CALLBRIDGE_COMPLETE={shell}_complete" in told.out


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("pause", "--campaign", "w"), ["welcome", "winback"]),
        (("events", "list", "--rule", ""), [r"call\ new\ leads"]),
        (("events", "list", "--rule", r"call\ n"), [r"call\ new\ leads"]),
    ],
)
def test_bash_offers_what_can_stand_in_the_line_as_it_is(folder, words, offered):
    folder.write("config.yaml", NAMED)
    program = folder.write("callbridge", f"#!{sys.executable}\nfrom bridge.cli import main\nmain(prog_name='callbridge')\n")
    program.chmod(0o755)
    script = folder.write("completion.bash", folder.run("completion", "bash").out)
    line = " ".join(shlex.quote(word) for word in ("callbridge", *words))
    asked = f'source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _callbridge_completion {program}; printf "%s\\n" "${{COMPREPLY[@]}}"'

    told = subprocess.run(["bash", "--norc", "-c", asked], capture_output=True, text=True, check=True, cwd=folder.path)

    assert told.stdout.splitlines() == offered


def test_a_shell_that_is_not_known_is_wrong_use(folder):
    assert folder.run("completion", "csh").code == 2
