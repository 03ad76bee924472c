"""Every captured body of every kind, as the API tells it: no secret, and no whole number that was not asked for."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bridge.sources import kinds
from bridge.sources.bodies import FORM, form_fields

FIXTURES = Path(__file__).parents[2] / "fixtures"
EVERY = sorted(path for path in FIXTURES.glob("*/*.expected.json") if path.parent.name in kinds())
FIRST = {path.parent.name: path for path in reversed(EVERY)}
BODIES = [path if path in FIRST.values() else pytest.param(path, marks=pytest.mark.long) for path in EVERY]
AT = "https://bridge.example.com/webhooks/captured"


def source_of(path):
    setup, expected = json.loads((path.parent / "source.json").read_text()), json.loads(path.read_text())
    adapter = kinds()[path.parent.name]
    settings = {**setup["settings"], **expected.get("settings", {})}
    return adapter("captured", adapter.settings_type(kind=path.parent.name, **settings)), setup.get("secrets_in_bodies", [])


def body_of(path):
    name = path.name.removesuffix(".expected.json")
    (held_in,) = (file for file in path.parent.glob(f"{name}.*") if file.name.count(".") == 1)
    body, content_type = held_in.read_bytes(), json.loads(path.with_name(f"{name}.meta.json").read_text())["content_type"]
    if content_type == FORM and held_in.suffix == ".json":  # shown as JSON, sent as a form
        body = urlencode(list(form_fields(json.loads(body)))).encode()
    return body, content_type


def send(desk, source, body, content_type):
    """Once as it should be, and once forged."""
    desk.services.sources["captured"] = source
    signed = source.sign(body, AT, desk.clock())
    web = desk.app.test_client()
    web.post(signed.url.removeprefix("https://bridge.example.com"), data=signed.body, headers={**signed.headers, "Content-Type": content_type})
    forged = {name: value[:-1] for name, value in signed.headers.items()}
    web.post("/webhooks/captured", data=body, headers={**forged, "Content-Type": content_type})


def told(caller, at):
    """Everything that is told of what is there."""
    items = caller.get("events")["items"]
    paths = [at(item["key"], *more) for item in items for more in ((), ("delivery",), ("related",), ("replay",))]
    answers = [caller.ask("GET", path) for path in ("events", "issues", "history", "status", "sources", "sources/captured", *paths)]
    assert {answer.status_code for answer in answers} <= {200}
    return "".join(answer.get_data(as_text=True) for answer in answers)


def numbers(desk):
    """Every number that the ledger knows of, as its last digits."""
    return {key.rpartition("phone:")[2][-9:] for key in desk.services.redis.keys("callbridge:1:ref:phone:*")}


@pytest.mark.parametrize("path", BODIES, ids=lambda path: f"{path.parent.name}-{path.name.removesuffix('.expected.json')}")
def test_no_answer_tells_a_secret_or_a_number(anna, desk, at, path):
    (source, inside), (body, content_type) = source_of(path), body_of(path)
    send(desk, source, body, content_type)

    text = told(anna, at)

    configured = [*desk.services.sources["zapier"].secrets, "campaign-token-of-welcome", "token-of-anna-and-nobody-else"]
    assert [secret for secret in [*source.secrets, *inside, *configured] if secret in text] == []
    assert [number for number in numbers(desk) if number in text] == []


def test_the_test_itself_sees_numbers(anna, desk, at):
    key = desk.lead(7)

    assert numbers(desk) == {"813322575"}
    assert "813322575" in anna.ask("GET", at(key), reveal="true").get_data(as_text=True)
