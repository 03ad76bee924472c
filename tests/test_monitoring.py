"""What docs/monitoring.md, the dashboard and the alert rules say of metrics and alerts is true of the code."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.announcing import HEARTBEAT, TYPES
from bridge.config import load
from bridge.config.schema import AlertSettings, Concern
from bridge.metrics import CALL_SECONDS, LABELS
from bridge.quantities import show_duration

ROOT = Path(__file__).parents[1]
MANUAL = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
ALERTS = MANUAL.partition("## Alerts by webhook")[2]
MONITORING = ROOT / "docs/monitoring"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {
    **{f"rule {rule['alert']}": rule["expr"] for rule in RULES},
    **{f"panel {panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]},
}
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus has it")

_HISTOGRAM = re.compile(rf"({CALL_SECONDS})_(?:bucket|sum|count)")
_SELECTOR = re.compile(r"(callbridge_\w+)(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")
_OF_THE_SCRAPE = {"instance", "job", "le"}


def metrics_in(text: str) -> set[str]:
    return {_HISTOGRAM.sub(r"\1", name) for name in re.findall(r"callbridge_[a-z_]+", text)}


def labels_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric of an expression, and the labels it is narrowed down by."""
    for name, selector in _SELECTOR.findall(expression):
        yield _HISTOGRAM.sub(r"\1", name), set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_an_expression_asks_for_metrics_and_labels_that_there_are(place):
    expression = EXPRESSIONS[place]
    known = set().union(*(LABELS[name] for name in metrics_in(expression) if name in LABELS)) | _OF_THE_SCRAPE

    assert metrics_in(expression) <= set(LABELS)
    assert metrics_in(expression)
    assert [name for name, labels in labels_in(expression) if not labels <= {*LABELS[name]} | _OF_THE_SCRAPE] == []
    grouped = {label.strip() for group in _GROUPING.findall(expression) for label in group.split(",") if label.strip()}
    assert grouped <= known


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_what_every_web_process_tells_alike_is_never_added_up_over_them(place):
    expression = EXPRESSIONS[place]
    inner = re.findall(r"sum(?: by \([^)]*\))? \(?(\w+)|sum\((\w+)", expression)

    assert all("max" in part for part in inner)


def test_the_manual_has_every_metric_with_its_labels():
    rows = re.findall(r"^\| `(callbridge_\w+)` \|([^|]*)\|", MANUAL, re.MULTILINE)

    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == LABELS


def test_every_metric_has_its_panel():
    assert set().union(*(metrics_in(target["expr"]) for panel in PANELS for target in panel["targets"])) == set(LABELS)


def test_every_rule_says_what_it_means_and_what_to_do():
    assert [rule["alert"] for rule in RULES if set(rule["annotations"]) != {"summary", "description", "action"}] == []
    assert [rule["alert"] for rule in RULES if rule["labels"].get("severity") not in {"critical", "warning", "info"}] == []
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_every_rule_of_the_manual_is_there():
    assert set(re.findall(r"`(Callbridge\w+)`", MANUAL)) <= {rule["alert"] for rule in RULES}


def test_every_panel_says_what_it_shows_and_asks_the_chosen_prometheus():
    sources = [target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]] + [panel["datasource"]["uid"] for panel in PANELS]

    assert [panel["title"] for panel in PANELS if not panel["description"].endswith(".")] == []
    assert set(sources) == {"${datasource}"}
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "source", "campaign"}


def test_no_two_panels_lie_on_one_another():
    def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
        a, b = one["gridPos"], other["gridPos"]
        return all(a[at] < b[at] + b[size] and b[at] < a[at] + a[size] for at, size in (("x", "w"), ("y", "h")))

    assert [(one["title"], other["title"]) for one, other in combinations(DASHBOARD["panels"], 2) if overlap(one, other)] == []
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])


def test_the_manual_has_every_concern_with_its_types_and_its_patience():
    rows = {row[0]: row for row in re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", ALERTS, re.MULTILINE)}
    settings = AlertSettings(url="https://a.example/x", format="slack")

    assert set(rows) - {"on"} == {concern.value for concern in Concern}
    for concern in Concern:
        _, _, after, types = rows[concern.value]
        patience = getattr(settings.after, concern, None)
        assert re.findall(r"`([\w.]+)`", types) == list(TYPES.get(concern, (HEARTBEAT,)))
        assert after == (show_duration(patience) if patience else "every 5m" if concern is Concern.HEARTBEAT else "at once")
    assert f"every `repeat` ({show_duration(settings.repeat)})" in MANUAL


def test_the_manuals_configuration_is_taken(tmp_path):
    written = next(block for block in re.findall(r"```yaml\n(.*?)```", MANUAL, re.DOTALL) if "alerts:" in block and "rule_files" not in block)
    (tmp_path / "config.yaml").write_text(written, encoding="utf-8")
    values = {"ALERTS_URL": "https://a.example/1", "SLACK_URL": "https://a.example/2", "DEAD_MANS_URL": "https://a.example/3"}

    config = load(tmp_path / "config.yaml", {**values, "ALERTS_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})

    assert [receiver.on for receiver in config.alerts][2] == (Concern.HEARTBEAT,)


@needs_promtool
def test_promtool_takes_the_rules_and_they_fire_when_they_should():
    assert subprocess.run([PROMTOOL, "check", "rules", MONITORING / "alerts.yaml"], capture_output=True, check=False).returncode == 0
    told = subprocess.run([PROMTOOL, "test", "rules", MONITORING / "alerts.test.yaml"], capture_output=True, check=False, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


@needs_promtool
def test_promtool_can_read_every_expression_of_the_dashboard(tmp_path):
    plain = {"$__rate_interval": "5m", "$source": ".*", "$campaign": ".*"}
    expressions = [EXPRESSIONS[place] for place in EXPRESSIONS if place.startswith("panel")]
    for variable, value in plain.items():
        expressions = [expression.replace(variable, value) for expression in expressions]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions)]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))

    told = subprocess.run([PROMTOOL, "check", "rules", tmp_path / "rules.yaml"], capture_output=True, check=False, text=True)

    assert told.returncode == 0, told.stdout + told.stderr


def test_every_rule_is_tried():
    tried = (MONITORING / "alerts.test.yaml").read_text(encoding="utf-8")

    assert [rule["alert"] for rule in RULES if rule["alert"] not in tried] == []
