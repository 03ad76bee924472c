"""Every captured body of every kind through the web's own door: no secret and no full number in what is logged or answered."""

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bridge.log import JsonLines
from bridge.sources import kinds
from bridge.sources.base import Source
from bridge.sources.bodies import FORM, form_fields
from bridge.wiring import clock

FIXTURES = Path(__file__).parents[1] / "fixtures"
BODIES = sorted(path for path in FIXTURES.glob("*/*.expected.json") if path.parent.name in kinds())
PUBLIC = "https://bridge.example.com"


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


@pytest.mark.parametrize("path", BODIES, ids=lambda path: f"{path.parent.name}-{path.name.removesuffix('.expected.json')}")
def test_neither_log_nor_answer_tells_a_secret_or_a_number(door, caplog, path):
    caplog.set_level(logging.DEBUG)
    source, (body, content_type) = source_of(path), body_of(path)
    door.services.sources["captured"] = source
    at = f"{PUBLIC}/webhooks/captured"
    signed = source.sign(body, at, clock())
    forged = {name: value[:-1] for name, value in signed.headers.items()}

    answers = [
        door.client.post(signed.url.removeprefix(PUBLIC), data=signed.body, headers={**signed.headers, "Content-Type": content_type}),
        door.client.post("/webhooks/captured", data=body, headers={**forged, "Content-Type": content_type}),
    ]

    told = "".join(JsonLines().format(record) for record in caplog.records) + "".join(answer.get_data(as_text=True) for answer in answers)
    stored = "".join(map(json.dumps, door.refused("captured")))
    secrets = [*source.secrets, *setup_of(path).get("secrets_in_bodies", [])]
    assert [secret for secret in secrets if secret in told + stored] == []
    assert [phone for phone in numbers(door) if phone in told] == []


def numbers(door) -> set[str]:
    """Every number that the ledger knows of now, with and without its +."""
    known = {key.rpartition("phone:")[2] for key in door.services.redis.keys("callbridge:1:ref:phone:*")}
    return known | {phone.removeprefix("+") for phone in known}


def test_the_test_itself_sees_numbers(door, lead):
    door.deliver("zapier", lead(7))

    assert numbers(door) == {"+12813322575", "12813322575"}
