"""The pages in a real browser: the application on a loopback port, over a real Redis, and Chromium from the system.

``bridge``             one that is running, with operators, and the gallery of macros at ``/ops/gallery``
``page``               a new, empty browser context in it: ``page.goto("/ops/login")``
``log_in``             fills in the form
``assert_accessible``  axe finds nothing on what is shown
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask, Response, render_template_string, request
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

from bridge.app import create_app
from bridge.config import load
from bridge.wiring import Services, build

SHARED, ANNA = "shared-token-of-everybody", "token-of-anna-and-nobody-else"
CONFIG = """
server: {ops_token: %(shared)s, operators: {anna: %(anna)s}}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: %(data)s
sources: {zapier: {kind: generic, secret: zapier-secret-of-ours}}
"""
GALLERY = (Path(__file__).parents[1] / "gallery.html").read_text()
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = "Chromium is not installed: apt-get install chromium, or name another one with CHROMIUM=/path/to/it"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Running:
    """The application, and what a test may do to it."""

    url: str
    services: Services
    counted: int = 0
    failing: bool = False
    sent: list[dict[str, str]] = field(default_factory=list)

    def gallery(self) -> str | Response:
        """Every macro once; each asking counts, and what is sent to it is kept."""
        if request.method == "POST":
            self.sent.append(request.form.to_dict())
        if self.failing:
            return Response("no", 500)
        self.counted += 1
        figures = [(f"{hour:02d}:00", float((hour * 7) % 12)) for hour in range(24)]
        return render_template_string(GALLERY, age=timedelta(minutes=7), figures=figures, counted=self.counted)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the four looks of a page the suite takes a dark phone; `make long` takes the others."""
    for item in items:
        look = set(item.name.replace("]", "").split("[")[-1].split("-"))
        if look & {"light", "desk", "1280"}:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def configuration() -> str:
    """What the bridge is configured with; a module that needs more has a fixture of this name."""
    return CONFIG


@pytest.fixture
def bridge(tmp_path, redis_url, configuration) -> Iterator[Running]:
    path = tmp_path / "config.yaml"
    path.write_text(configuration % {"shared": SHARED, "anna": ANNA, "redis": redis_url, "data": tmp_path})
    services = build(load(path, {}))
    running = Running("", services)
    app = create_app(services)
    app.add_url_rule("/ops/gallery", "ops.gallery", running.gallery, methods=["GET", "POST"])
    with serving(app) as running.url:
        yield running


class serving:  # noqa: N801 -- read as a word in `with`
    """The application on a free loopback port, in threads of this process."""

    def __init__(self, app: Flask) -> None:
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def open_page(chromium, bridge) -> Iterator[Callable[..., Page]]:
    """A page in a browser of its own; words are the context's: ``open_page(color_scheme="dark")``. It fails on any error of a script."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def opened(**more: object) -> Page:
        context = chromium.new_context(base_url=bridge.url, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(open_page) -> Page:
    return open_page()


@pytest.fixture
def log_in() -> Callable[..., None]:
    """As an operator does it; ``name`` is what he calls himself with the shared token."""

    def done(page: Page, token: str = ANNA, name: str = "") -> None:
        page.goto("/ops/login")
        page.get_by_label("Your name").fill(name)
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()

    return done


@pytest.fixture
def assert_accessible() -> Callable[[Page], None]:
    def asserted(page: Page) -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()

    return asserted
