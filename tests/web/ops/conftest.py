"""The operators' side over a real Redis: a browser that only reads, a clock that is set by hand, and pages taken apart."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.app import create_app
from bridge.config import load
from bridge.wiring import Services, build, clock

SHARED = "shared-token-of-everybody"
ANNA = "token-of-anna-and-nobody-else"
BERT = "token-of-bert-and-nobody-else"
OPERATORS = f"ops_token: {SHARED}, operators: {{anna: {ANNA}, bert: {BERT}}}"
CONFIG = """
server: {%(server)s}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: %(data)s
sources: {zapier: {kind: generic, secret: zapier-secret-of-ours}}
"""
GALLERY = (Path(__file__).parents[2] / "gallery.html").read_text()


@dataclass
class Hands:
    """A clock that goes on by itself, and can be put forward."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return clock() + self.ahead


@dataclass
class Side:
    """One web process."""

    services: Services
    app: Flask
    clock: Hands

    def browser(self, address: str = "203.0.113.7", *, https: bool = False) -> FlaskClient:
        """A new one, without cookies."""
        client = self.app.test_client()
        client.environ_base["REMOTE_ADDR"] = address
        if https:
            client.environ_base["wsgi.url_scheme"] = "https"
        return client


@dataclass
class Page(HTMLParser):
    """A page taken apart: its tags in order, and its words."""

    html: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._within = ""
        self.feed(self.html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def field(self, name: str) -> str:
        """What stands in an input of this name."""
        return next(each.get("value") or "" for each in self.all("input") if each.get("name") == name)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._within = tag if tag in {"script", "style"} else ""
        self.inline += [f"{tag} {name}" for name, _ in attributes if name == "style" or name.startswith("on")]
        self.inline += [tag] * (tag == "style")

    def handle_endtag(self, _: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within and data.strip():
            self.inline.append(f"{self._within}: {data.strip()}")
        self.words.append(data)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def open_side(tmp_path, hands) -> Callable[..., Side]:
    """A web process: what stands under ``server`` in its configuration, and the URL of its Redis."""

    def opened(url: str, server: str = OPERATORS) -> Side:
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG % {"server": server, "redis": url, "data": tmp_path})
        services = replace(build(load(path, {}), redis_timeout=1.0), clock=hands)
        return Side(services, create_app(services), hands)

    return opened


@pytest.fixture
def side(open_side, redis_url) -> Side:
    return open_side(redis_url)


@pytest.fixture
def browser(side) -> FlaskClient:
    """Nobody's yet."""
    return side.browser()


@pytest.fixture
def anna(side, login) -> FlaskClient:
    """A browser in which anna is logged in."""
    client = side.browser()
    assert login(client, ANNA).status_code == 303
    return client


@pytest.fixture
def read() -> Callable[[TestResponse], Page]:
    return lambda answer: Page(answer.get_data(as_text=True))


@pytest.fixture
def login(read) -> Callable[..., TestResponse]:
    """Fill in the form and send it; more words are more of its fields."""

    def sent(client: FlaskClient, token: str, **more: str) -> TestResponse:
        form = read(client.get("/ops/login"))
        return client.post("/ops/login", data={"csrf_token": form.field("csrf_token"), "token": token, **more})

    return sent


@pytest.fixture
def gallery(side) -> Side:
    """With one page more, which has every macro in it."""
    figures = [(f"{hour:02d}:00", float((hour * 7) % 12)) for hour in range(24)]
    side.app.add_url_rule(
        "/ops/gallery",
        "ops.gallery",
        lambda: render_template_string(GALLERY, age=timedelta(minutes=7), figures=figures, counted=1),
        methods=["GET", "POST"],
    )
    return side
