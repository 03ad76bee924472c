"""An operator finds out why somebody was not called, and has it done again: in a browser, with workers, against the simulator."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
from playwright.sync_api import expect

from bridge.config import load
from bridge.ledger import Asks
from bridge.model import Delivery
from bridge.simulator import running_simulator
from bridge.wiring import Services, build
from workers.asking import Asking
from workers.batch import Batch, hands
from workers.runner import build_world

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
CONFIG = """
server: {ops_token: %%(shared)s, operators: {anna: %%(anna)s}}
redis: {url: "%%(redis)s", durability: unsafe}
data_dir: %%(data)s
calls_api: {base_url: "%(platform)s"}
campaigns: {welcome: {token: welcome}}
sources: {zapier: {kind: generic, secret: zapier-secret-of-ours}}
rules:
  - {name: call new leads, on: lead.created, call: {campaign: welcome, payload: {name: contact.name}%(zone)s}}
  - {name: stop on delete, on: lead.deleted, cancel: {}}
"""
LEAD = {
    "event_id": "lead-7",
    "type": "lead.created",
    "name": "Alex Doe",
    "phone": "+12813322575",
    "entity": {"type": "lead", "id": "7"},
    "fields": {"zone": "Mars/Olympus", "plan": "gold"},
}


@pytest.fixture(scope="module")
def platform() -> Iterator[str]:
    with running_simulator() as simulator:
        yield simulator.url


@pytest.fixture
def calls(platform) -> Callable[[], list[dict]]:
    requests.post(f"{platform}/simulator/reset", timeout=10)
    return lambda: requests.get(f"{platform}/simulator/calls", timeout=10).json()["calls"]


@pytest.fixture
def configuration(platform) -> str:
    """As it is when the rule was mended."""
    return CONFIG % {"platform": platform, "zone": ""}


def receive(services: Services, **more) -> None:
    body, url = json.dumps({**LEAD, **more}).encode(), "http://bridge/webhooks/zapier"
    signed = services.sources["zapier"].sign(body, url, services.clock())
    headers = {name.lower(): value for name, value in signed.headers.items()}
    services.ingest.take(Delivery(source="zapier", body=body, url=url, received_at=services.clock(), headers=headers))


@contextmanager
def working(services: Services) -> Iterator[None]:
    """A worker process's life, in threads of this one: it delivers what is due, and asks the platform what pages want to know."""
    world, stopping = build_world(services.config, concurrency=4), threading.Event()
    asking = Asking(Asks(world.ledger.redis), world.calls_api, world.clock)

    def work() -> None:
        with hands(world.concurrency) as threads:
            while not stopping.wait(0.05):
                Batch(world, stopping.is_set, threads).run()
                asking.look(patience=0.05)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        world.calls_api.close()
        world.crm_api.close()
        world.ledger.redis.close()


@pytest.fixture
def failed(bridge, platform, calls, tmp_path, redis_url) -> None:
    """A call that the platform refused, since the rule sent it a time zone that there is not."""
    path = tmp_path / "before.yaml"
    wrong = CONFIG % {"platform": platform, "zone": ", time_zone: fields.zone"}
    path.write_text(wrong % {"shared": "x" * 20, "anna": "y" * 20, "redis": redis_url, "data": tmp_path})
    services = build(load(path, {}))
    receive(services)
    world = build_world(services.config, concurrency=2)
    with hands(world.concurrency) as threads:
        Batch(world, lambda: False, threads).run()
    assert services.ledger.entry("zapier:lead-7").status == "failed"
    assert calls() == []


@pytest.fixture
def worked(bridge) -> Iterator[None]:
    with working(bridge.services):
        yield


def test_an_operator_finds_a_failed_event_reads_why_replays_it_and_sees_it_done(page, log_in, failed, worked, calls):
    log_in(page)
    page.get_by_role("searchbox").fill("+1 281 332 25 75")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Understood as the phone number +128…75.")).to_be_visible()
    page.get_by_role("link", name="Alex Doe").click()

    expect(page.get_by_text("Not called: refused by the platform")).to_be_visible()
    expect(page.get_by_text("gmtZone").first).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("2813322575")
    page.get_by_role("link", name="Replay with today’s rules").click()

    expect(page.get_by_text("It calls +128…75 in campaign welcome now.")).to_be_visible()
    expect(page.get_by_text("It differs from what was sent before.")).to_be_visible()
    page.get_by_role("button", name="Replay").click()

    expect(page.get_by_text("Replayed: queued")).to_be_visible()
    expect(page.get_by_text("Called: call job ")).to_be_visible()
    expect(page.locator(".event-head .status")).to_have_text("done")
    expect(page.locator("#account[data-live]")).to_have_count(0)
    assert [call["idempotence_key"] for call in calls()] == ["zapier:lead-7"]
    expect(page.get_by_text("anna replayed")).to_be_visible()


def test_the_platforms_own_report_comes_by_itself(page, log_in, bridge, worked, calls):
    receive(bridge.services)
    log_in(page)
    page.goto("/ops/events/zapier:lead-7")
    expect(page.get_by_text("Called: call job ")).to_be_visible()

    page.reload()
    page.get_by_role("button", name="Ask the platform").click()

    expect(page.get_by_role("table", name="Call jobs")).to_be_visible()
    expect(page.locator("#report")).to_contain_text(calls()[0]["id"])
    expect(page.locator("#report")).not_to_contain_text("2813322575")
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()


def test_numbers_are_shown_on_purpose_and_hidden_again(page, log_in, bridge, calls):
    receive(bridge.services)
    log_in(page)
    page.goto("/ops/events/zapier:lead-7")

    page.get_by_role("button", name="Show the numbers").click()

    expect(page.get_by_text("Whole numbers are shown, this once.")).to_be_visible()
    expect(page.locator("#known + dl")).to_contain_text("+12813322575")
    expect(page.locator("#delivery-laid-out")).to_contain_text("+12813322575")
    page.get_by_role("link", name="Hide the numbers again").click()
    expect(page.locator("body")).not_to_contain_text("2813322575")
    expect(page.get_by_text("anna looked at the whole number")).to_be_visible()


def test_all_of_it_is_done_with_the_keyboard_alone_and_without_a_script(open_page, log_in, failed, worked, calls):
    page = open_page(java_script_enabled=False)
    log_in(page)
    page.get_by_role("searchbox").focus()
    page.keyboard.type("alex doe")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/ops/search"))

    reach(page, "Alex Doe")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/ops/events/zapier:lead-7"))
    reach(page, "Replay with today’s rules")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/ops/act/replay/"))
    reach(page, "Replay")
    page.keyboard.press("Enter")

    expect(page.get_by_text("Replayed: queued")).to_be_visible()
    for _ in range(100):
        page.goto("/ops/events/zapier:lead-7")
        if "Called: call job" in page.inner_text("body"):
            break
    expect(page.get_by_text("Called: call job ")).to_be_visible()
    assert len(calls()) == 1


def reach(page, name: str) -> None:
    """Press Tab until the link or button of this name has the focus; it must be seen to have it."""
    wanted = page.locator("a:focus, button:focus").filter(has_text=re.compile(rf"^\s*{re.escape(name)}\s*$"))
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.count():
            return
    pytest.fail(f"Tab does not lead to {name}")


LOOKS = [{"color_scheme": scheme, "viewport": size} for scheme in ("light", "dark") for size in (PHONE, DESK)]


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize("look", LOOKS, ids=["light-phone", "light-desk", "dark-phone", "dark-desk"])
def test_every_page_about_events_is_accessible_and_none_is_wider_than_the_screen(open_page, log_in, assert_accessible, bridge, look):
    receive(bridge.services, event_id="lead-8", name="Sam Poe " * 12, entity={"type": "lead", "id": "8" * 60})
    page = open_page(**look)
    log_in(page)

    deeds = [f"act/{deed}/zapier:lead-7" for deed in ("replay", "again", "do-not-call", "forget")]
    for path in (
        "search",
        "search?q=status:lost",
        "search?q=nobody",
        "events/zapier:lead-7",
        *deeds,
        "events/zapier:lead-8",
        "act/cancel/zapier:lead-8",
    ):
        page.goto(f"/ops/{path}")
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= look["viewport"]["width"], path
