"""Every captured body of every kind, taken in and looked at: no secret and no full number on any page, until it is shown on purpose."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bridge.concealing import phones_of
from bridge.model import Entry
from bridge.phones import to_e164
from bridge.sources import kinds
from bridge.sources.base import Source
from bridge.sources.bodies import FORM, form_fields

FIXTURES = Path(__file__).parents[3] / "fixtures"
EVERY = sorted(path for path in FIXTURES.glob("*/*.expected.json") if path.parent.name in kinds())
FIRST = {path.parent.name: path for path in reversed(EVERY)}
BODIES = [path if path in FIRST.values() else pytest.param(path, marks=pytest.mark.long) for path in EVERY]
DEEDS = ("replay", "again", "cancel", "do-not-call", "forget")


def setup_of(path: Path) -> dict[str, Any]:
    return json.loads((path.parent / "source.json").read_text())


def source_of(path: Path) -> Source:
    adapter, expected = kinds()[path.parent.name], json.loads(path.read_text())
    settings = {**setup_of(path)["settings"], **expected.get("settings", {})}
    return adapter("captured", adapter.settings_type(kind=path.parent.name, **settings))


def body_of(path: Path) -> tuple[bytes, str]:
    name = path.name.removesuffix(".expected.json")
    (held_in,) = (file for file in path.parent.glob(f"{name}.*") if file.name.count(".") == 1)
    body, content_type = held_in.read_bytes(), json.loads(path.with_name(f"{name}.meta.json").read_text())["content_type"]
    if content_type == FORM and held_in.suffix == ".json":  # shown as JSON, sent as a form
        body = urlencode(list(form_fields(json.loads(body)))).encode()
    return body, content_type


@pytest.fixture
def take_in(desk):
    def taken(path: Path) -> list[str]:
        source, (body, content_type) = source_of(path), body_of(path)
        desk.services.sources["captured"] = source
        signed = source.sign(body, "http://localhost/webhooks/captured", desk.services.clock())
        address = signed.url.removeprefix("http://localhost")
        desk.app.test_client().post(address, data=signed.body, headers={**signed.headers, "Content-Type": content_type})
        return [key.partition("event:")[2] for key in desk.services.redis.keys("callbridge:1:event:*")]

    return taken


def numbers(entry: Entry) -> set[str]:
    """Every number of the person, as it is known and with its separators left out; shorter ones could be anything."""
    spelled = {spelled for phone in phones_of(entry.event) for spelled in (phone, to_e164(phone) or phone)}
    digits = {"".join(filter(str.isdigit, phone)) for phone in spelled}
    return {number for number in digits if len(number) >= 7}


def told_on(desk, keys: list[str]) -> str:
    """Everything that a browser gets to see of these events."""
    paths = ["/ops/search", "/ops/search?q=source:captured"]
    addresses = [link["href"] for link in desk.search("source:captured").all("a") if link.get("class") == "event-who"]
    assert len(addresses) == len(keys)
    paths += [*addresses[:3], *(addresses[0].replace("/events/", f"/act/{deed}/") for deed in DEEDS)]
    answers = [desk.anna.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return "".join(answer.text for answer in answers)


@pytest.mark.parametrize("path", BODIES, ids=lambda path: f"{path.parent.name}-{path.name.removesuffix('.expected.json')}")
def test_no_page_tells_a_secret_or_a_number(desk, take_in, path):
    keys = take_in(path)
    entries = [desk.entry(key) for key in keys]
    secrets = [*desk.services.sources["captured"].secrets, *setup_of(path).get("secrets_in_bodies", [])]

    told = told_on(desk, keys) if keys else desk.anna.get("/ops/search").text
    bare = "".join(char for char in told if char not in " ()-./\u00a0")

    assert [secret for secret in secrets if secret in told] == []
    assert [number for entry in entries for number in numbers(entry) if number in told or number in bare] == []


def test_the_test_itself_sees_numbers_and_secrets(desk, take_in):
    (some, *_) = [path for path in EVERY if path.parent.name == "generic"]
    keys = take_in(some)
    seen = [desk.post(f"/ops/act/reveal/{key}").text for key in keys]

    assert any(number in text for key in keys for number in numbers(desk.entry(key)) for text in seen)


def test_a_number_in_place_of_a_name_is_a_number(desk):
    key = desk.lead(7, phone=None, name="281 332 2575")
    desk.services.operating.pause("*", "anna", "ring 281 332 2575 first")
    desk.post(f"/ops/act/cancel/{key}", note="asked by 281 332 2575")

    paths = ["/ops/search", f"/ops/events/{key}", *(f"/ops/act/{deed}/{key}" for deed in DEEDS), "/ops/switches", "/ops/history"]
    told = {path: desk.anna.get(path).text for path in paths}

    assert "asked by 281…75" in told["/ops/history"]
    assert [path for path, text in told.items() if "281 332 2575" in text] == []
