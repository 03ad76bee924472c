"""The pages of replays of many in a browser: on a phone and at a desk, light and dark, with a script and without."""

import json
import re

import pytest
from playwright.sync_api import expect

from bridge.ledger import State
from bridge.model import Delivery

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
CONFIG = """
server: {ops_token: %(shared)s, operators: {anna: %(anna)s}}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: %(data)s
campaigns: {welcome: {token: welcome}}
sources: {zapier: {kind: generic, secret: zapier-secret-of-ours}}
rules:
  - {name: call new leads, on: lead.created, where: fields.ready, call: {campaign: welcome, expires: 1h}}
"""


@pytest.fixture
def configuration() -> str:
    return CONFIG


@pytest.fixture
def received(bridge):
    """Nine events that no rule is for."""
    services = bridge.services
    for number in range(9):
        lead = {"event_id": f"e{number}", "type": "lead.created", "phone": f"+1281332257{number}", "name": "Alex Doe"}
        signed = services.sources["zapier"].sign(json.dumps(lead).encode(), "http://b/", services.clock())
        headers = {name.lower(): value for name, value in signed.headers.items()}
        services.ingest.take(Delivery(source="zapier", body=signed.body, url="http://b/", received_at=services.clock(), headers=headers))


def counted(bridge):
    (plan, *_) = bridge.services.planning.plans.all()
    while bridge.services.planning.one(plan.id).state is State.COUNTING:
        bridge.services.stepping.look("w")
    return plan.id


@pytest.mark.usefixtures("received")
@pytest.mark.parametrize(
    "screen", [("light", PHONE), ("light", DESK), ("dark", PHONE), ("dark", DESK)], ids=lambda screen: f"{screen[0]}-{screen[1]['width']}"
)
def test_every_page_of_a_replay_is_accessible_and_none_is_wider_than_the_screen(open_page, log_in, assert_accessible, bridge, screen):
    scheme, size = screen
    page = open_page(color_scheme=scheme, viewport=size)
    log_in(page)

    def check():
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]

    for path in ("/ops/replays", "/ops/replays/new", "/ops/replays/new?q=status:bad", "/ops/replays/new?q=status:ignored"):
        page.goto(path)
        check()
    page.get_by_role("button", name="Count what it would do").click()
    expect(page.get_by_text("Finding the events")).to_be_visible()
    check()
    plan_id = counted(bridge)
    expect(page.get_by_text("A replay would change nothing")).to_be_visible()  # by itself
    page.get_by_text(re.compile("Show [0-9]+ examples")).click()
    check()
    bridge.services.planning.run(plan_id, "Monday", "5/s", "anna")
    page.reload()
    check()
    bridge.services.planning.pause(plan_id, "anna")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    check()


def test_without_a_script_it_is_planned_and_discarded(open_page, log_in, bridge, received):
    page = open_page(java_script_enabled=False)
    log_in(page)
    page.goto("/ops/replays/new?q=status:ignored")
    page.get_by_role("button", name="Count what it would do").click()
    counted(bridge)
    page.get_by_role("link", name="Reload to see what has changed").click()
    expect(page.get_by_text("A replay would change nothing")).to_be_visible()
    page.get_by_role("button", name="Discard the plan").click()

    expect(page.get_by_text("It was discarded before anything was replayed.")).to_be_visible()
    assert bridge.services.planning.plans.all()[0].state is State.CANCELLED
