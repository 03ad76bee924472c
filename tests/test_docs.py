"""What the README says is true of the code beside it."""

import re
import runpy
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from bridge.cli import main
from bridge.config import Config, load
from bridge.model import Delivery, Status
from bridge.sources import kinds

OF_ANOTHER_FORM = {"CLOSE_SIGNATURE_KEY": "0f" * 32, "PIPEDRIVE_SECRET": "user:password"}
HEADINGS = ("In the CRM", "In the configuration", "What it sends", "Scopes and limits", "Does it work?")
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TABLE = README.partition("## Where do I change …?")[2].partition("\n## ")[0]
NAMED = sorted(set(re.findall(r"`((?:bridge|workers|tests|config)[\w/.<>-]*)`", TABLE)))


def load_text(written: str) -> Config:
    """A page's configuration, with a campaign to call in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(f"campaigns: {{welcome: {{token: t}}}}\n{written}")
        secret = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
        values = dict.fromkeys(re.findall(r"\$\{([A-Z_0-9]+)", written), secret)
        return load(path, {**values, **OF_ANOTHER_FORM})


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("path", NAMED)
def test_every_file_of_the_table_is_there(path):
    for kind in kinds() if "<kind>" in path else [""]:
        assert (ROOT / path.replace("<kind>", kind)).exists()


def test_every_source_of_the_package_has_its_row():
    modules = {path.name for path in (ROOT / "bridge").glob("*.py")} | {path.name for path in (ROOT / "workers").glob("*.py")}
    shown = {Path(path).name for path in NAMED}
    told_elsewhere = {  # nouns, plumbing and composition, which the sections above and the docstrings name
        *("__init__.py", "__main__.py", "app.py", "wiring.py", "gunicorn_conf.py", "errors.py", "model.py", "keys.py", "quantities.py", "signing.py"),
        *("log.py", "operators.py", "explaining.py", "durability.py", "deliveries.py", "spool.py"),
        *("tasks.py", "batch.py", "case.py", "effects.py", "world.py", "dispatcher.py", "crm_api.py"),
    }

    assert modules - shown - told_elsewhere == set()


def test_every_command_of_the_readme_exists():
    used = set(re.findall(r"(?:^|[`/ ])callbridge ([a-z][a-z-]+)", README)) - {"is", "reads", "takes", "turns"}

    assert used
    assert used <= set(main.commands)


def test_the_readmes_rules_are_rules(tmp_path):
    (written,) = blocks("yaml")
    path = tmp_path / "config.yaml"
    path.write_text("campaigns: {welcome: {token: t}}\nsources: {zapier: {kind: generic, secret: s}}\n" + dedent(written))

    assert [rule.name for rule in load(path, {}).rules] == ["call new leads", "stop when the deal is closed"]


def test_the_readmes_event_is_taken_as_it_stands():
    (body,) = blocks("json")
    generic = kinds()["generic"]("zapier", kinds()["generic"].settings_type(kind="generic"))
    now = datetime(2026, 11, 23, tzinfo=UTC)

    (event,) = generic.parse(Delivery(source="zapier", body=body.encode(), url="", received_at=now))

    assert (event.id, event.type, event.contact.phone, event.fields) == ("42", "lead.created", "+16500000000", {"plan": "gold"})


def test_every_status_is_explained():
    assert all(f"`{status}`" in README for status in Status)


def test_the_makefiles_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()

    assert all(f"\n{at_start or quoted}:" in makefile for at_start, quoted in re.findall(r"^make (\w+)|`make (\w+)", README, re.MULTILINE))


def test_the_procfile_starts_commands_that_exist():
    lines = [line.split() for line in (ROOT / "Procfile").read_text().splitlines()]

    assert [(name, command[1]) for name, *command in lines] == [("web:", "web"), ("worker:", "worker")]
    assert all(command[0] == "callbridge" and command[1] in main.commands for _, *command in lines)


def test_the_table_of_kinds_is_what_the_adapters_say():
    written = runpy.run_path(str(ROOT / "docs" / "table.py"))["written"]

    assert written(README) == README, "run `make docs`"


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_has_its_page(kind):
    page = (ROOT / "docs" / "sources" / f"{kind}.md").read_text()

    assert page.startswith(f"# {kinds()[kind].title}\n")
    assert [heading for heading in HEADINGS if f"\n## {heading}\n" not in page] == []
    for written in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        assert load_text(written)


def test_every_test_that_reliability_names_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/reliability.md").read_text())

    assert named
    assert [name for path, name in named if f"def {name}(" not in (ROOT / path).read_text()] == []
