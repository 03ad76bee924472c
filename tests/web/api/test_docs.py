"""What docs/api.md shows is done here, word for word, and it names every operation."""

import re
import shlex
from pathlib import Path
from string import Template

import pytest

from bridge.model import Status

DOC = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", DOC, re.DOTALL) for line in block.splitlines() if line.startswith("curl ")]
BRIDGE = "https://bridge.example.com/api/v1"


@pytest.fixture
def values(anna, desk):
    """What the page leaves to the reader, and events for its examples to be about."""
    desk.end(desk.lead(7), Status.FAILED, "the platform refuses it")
    desk.call(desk.lead(9))
    desk.lead(8)
    (issue,) = anna.get("issues")["items"]
    asked = anna.post("asks", {"what": "info", "campaign": "welcome"})["id"]
    plan = anna.post("replays", {"q": "status:failed"})["id"]
    for _ in range(8):
        desk.services.stepping.look("w")
    return {
        "REPLAY": plan,
        "TOKEN": anna.token,
        "BRIDGE": BRIDGE,
        "NEXT": anna.get("events", limit=1)["next"],
        "ISSUE": issue["fingerprint"],
        "ASK": asked,
    }


def asked(command, values):
    """As curl reads it; an option that is not known here fails."""
    words, request = shlex.split(Template(command).substitute(values))[1:], {"method": "GET", "headers": {}}
    while words:
        word = words.pop(0)
        if word == "-H":
            name, _, value = words.pop(0).partition(": ")
            request["headers"][name] = value
        elif word == "-X":
            request["method"] = words.pop(0)
        elif word == "--json":
            request["data"], request["headers"]["Content-Type"] = words.pop(0), "application/json"
            request["method"] = "POST" if request["method"] == "GET" else request["method"]
        elif word == "-G":
            pass
        elif word == "--data-urlencode":
            request["query_string"] = dict([words.pop(0).split("=", 1)])
        else:
            assert word.startswith(BRIDGE), word
            request["path"] = word.removeprefix("https://bridge.example.com")
    return request


def test_its_examples_work_in_their_order(desk, values):
    assert len(COMMANDS) > 20
    for command in COMMANDS:
        answer = desk.app.test_client().open(**asked(command, values))
        assert answer.status_code in {200, 202}, (command, answer.text)


def test_what_it_says_about_keys_holds(desk, values):
    first, second = [command for command in COMMANDS if "Idempotency-Key: ticket" in command]

    answers = [desk.app.test_client().open(**asked(command, values)) for command in (first, second)]

    assert answers[0].get_json() == answers[1].get_json()
    assert answers[1].headers["Idempotent-Replayed"] == "true"


def test_its_refusal_is_one(anna):
    (shown,) = re.findall(r"```json\n(.*?)```", DOC, re.DOTALL)

    assert anna.ask("GET", "events", limit="201").get_data(as_text=True).strip() == shown.strip()


def test_it_names_every_operation(anna):
    named = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`", DOC.partition("## All operations")[2]))

    there = {f"{method.upper()} {path.removeprefix('/api/v1')}" for path, methods in anna.get("openapi.json")["paths"].items() for method in methods}
    assert named == there
