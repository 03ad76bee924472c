"""An operator sees how everything is and changes what he may: in a browser, with a worker's life beside it, against the simulator."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import requests
from playwright.sync_api import expect

from bridge.errors import Unverified
from bridge.ledger import Asks, Unwanted
from bridge.model import Delivery
from bridge.simulator import running_simulator
from bridge.wiring import Services
from workers.asking import Asking
from workers.batch import Batch, hands
from workers.runner import build_world

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
CONFIG = """
server: {ops_token: %%(shared)s, operators: {anna: %%(anna)s}}
redis: {url: "%%(redis)s", durability: unsafe}
data_dir: %%(data)s
calls_api: {base_url: "%(platform)s"}
campaigns: {welcome: {token: welcome, rate_limit: 50/s}, follow-up: {token: follow-up}}
sources:
  zapier: {kind: generic, secret: zapier-secret-of-ours, region: US}
  billing: {kind: standard_webhooks, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
rules:
  - {name: call new leads, on: lead.created, call: {campaign: welcome, payload: {name: contact.name}}}
"""


@pytest.fixture(scope="module")
def platform() -> Iterator[str]:
    with running_simulator() as simulator:
        yield simulator.url


@pytest.fixture(autouse=True)
def _fresh(platform) -> None:
    requests.post(f"{platform}/simulator/reset", timeout=10)


@pytest.fixture
def configuration(platform) -> str:
    return CONFIG % {"platform": platform}


@pytest.fixture
def receive(bridge) -> Callable[..., None]:
    """A lead comes in; each number is another person."""

    def received(number: int = 7, **more: object) -> None:
        lead = {"event_id": f"lead-{number}", "type": "lead.created", "name": "Alex Doe", "phone": f"+1281332{2568 + number}", **more}
        body, services = json.dumps(lead).encode(), bridge.services
        signed = services.sources["zapier"].sign(body, "http://bridge/webhooks/zapier", services.clock())
        headers = {name.lower(): value for name, value in signed.headers.items()}
        url = "http://bridge/webhooks/zapier"
        services.ingest.take(Delivery(source="zapier", body=body, url=url, received_at=services.clock(), headers=headers))

    return received


@contextmanager
def working(services: Services) -> Iterator[None]:
    """A worker process's life, in threads of this one."""
    world, stopping = build_world(services.config, concurrency=4), threading.Event()
    asking = Asking(Asks(world.ledger.redis), world.calls_api, world.clock)

    def deliver() -> None:
        with hands(world.concurrency) as threads:
            while not stopping.wait(0.05):
                Batch(world, stopping.is_set, threads).run()

    def answer() -> None:
        while not stopping.is_set():
            asking.look(patience=0.2)

    chores = [threading.Thread(target=deliver), threading.Thread(target=answer)]
    for chore in chores:
        chore.start()
    try:
        yield
    finally:
        stopping.set()
        for chore in chores:
            chore.join()
        world.calls_api.close()
        world.crm_api.close()
        world.ledger.redis.close()


@pytest.fixture
def worked(bridge) -> Iterator[None]:
    with working(bridge.services):
        yield


@pytest.fixture
def hasty(page, log_in):
    """A browser whose timers go twenty times as fast."""
    page.add_init_script("{ const later = setTimeout; window.setTimeout = (what, pause) => later(what, pause / 20); }")
    log_in(page)
    return page


def tile(page, label):
    return page.locator(".tile", has_text=label).locator(".figure")


def test_the_dashboard_keeps_itself_fresh(hasty, receive, bridge):
    hasty.goto("/ops/")
    expect(tile(hasty, "on their way")).to_have_text("0")

    receive()

    expect(tile(hasty, "on their way")).to_have_text("1")
    expect(hasty.locator("#figures .figures")).to_contain_text("1")
    with working(bridge.services):
        expect(tile(hasty, "on their way")).to_have_text("0")
        expect(hasty.locator("#figures")).to_contain_text("welcome1")


def test_all_calling_is_paused_with_a_reason_seen_everywhere_and_resumed(page, log_in, receive, worked, bridge):
    log_in(page)
    page.goto("/ops/switches")
    page.get_by_label("Why All calling is paused").fill("the script is wrong")
    page.get_by_role("button", name="Pause all calling").click()

    expect(page.get_by_text("All calling is paused. What is being sent at this moment is finished.")).to_be_visible()
    receive()
    page.goto("/ops/do-not-call")
    expect(page.get_by_text("All calling is paused by anna, now (the script is wrong).")).to_be_visible()
    page.goto("/ops/")
    expect(page.locator(".kinds").first).to_contain_text("parked")

    page.get_by_role("link", name="Look at it").first.click()
    page.get_by_role("button", name="Resume").click()

    expect(page.get_by_text("All calling goes on. What was parked is decided again now.")).to_be_visible()
    page.goto("/ops/events/zapier:lead-7")
    expect(page.locator(".status.done").first).to_be_visible()


def test_a_campaign_is_asked_paused_and_stopped_at_the_platform(page, log_in, worked):
    log_in(page)
    page.goto("/ops/campaigns")
    page.get_by_role("link", name="welcome").click()

    page.get_by_role("button", name="Ask the platform").click()
    expect(page.locator("#platform")).to_contain_text("total numbers")

    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator("#platform")).to_contain_text("campaign welcome is paused at the platform")

    page.get_by_text("Stop it for good").first.click()
    page.get_by_label("Type welcome to stop it").fill("welcom")
    page.get_by_role("button", name="Stop it for good").click()
    expect(page.get_by_text("Nothing was done: to stop it for good")).to_be_visible()
    page.get_by_label("Type welcome to stop it").fill("welcome")
    page.get_by_role("button", name="Stop it for good").click()
    expect(page.locator("#platform")).to_contain_text("campaign welcome is stopped for good at the platform")


def test_a_call_job_is_reported_by_the_persons_number(page, log_in, receive, worked):
    receive()
    log_in(page)
    page.goto("/ops/campaigns/welcome")
    expect(page.locator(".definitions").first).to_contain_text("Calls in 24 h")

    page.get_by_label("Ids of call jobs, or one number").fill("+1 281 332 2575")
    page.get_by_role("button", name="Ask", exact=True).click()

    expect(page.locator("#report table").first).to_contain_text("+128…75".replace("+", ""))
    expect(page.locator("#report")).not_to_contain_text("2813322575")


def test_the_do_not_call_list_is_kept(page, log_in, tmp_path, bridge):
    log_in(page)
    page.goto("/ops/do-not-call")
    page.get_by_label("Number", exact=True).fill("(281) 332-2575")
    page.get_by_label("Until").fill("30d")
    page.get_by_label("Why").fill("asked us not to")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("The number is on the list.")).to_be_visible()

    lines = tmp_path / "list.csv"
    lines.write_text("phone,note\n+16502530000,by letter\nnonsense,\n")
    page.get_by_label("CSV file").set_input_files(lines)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("Line 3: its number cannot be read")).to_be_visible()
    page.get_by_label("CSV file").set_input_files(lines)
    page.get_by_label("Import the good lines although there are bad ones").check()
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("1 entry is on the list. 1 bad line was left out.")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    assert "+16502530000,*,import,by letter," in download.value.path().read_text()

    page.get_by_label("Look up a number").fill("+1 281 332 2575")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("cell", name="asked us not to")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("The entry is off the list.")).to_be_visible()
    assert bridge.services.ordering.list.size() == 1


def test_an_issue_is_seen_and_resolved(page, log_in, receive, worked):
    receive(phone="+1281332", name="Short Number")
    log_in(page)
    expect(page.get_by_text("1 issue is open, with 1 failed event.")).to_be_visible()
    page.get_by_role("link", name="Look at it").first.click()
    page.locator(".issue-what").click()
    expect(page.get_by_role("link", name="Plan a replay of these")).to_have_attribute(
        "href", re.compile(r"/ops/replays/new\?q=issue%3A[0-9a-f]{12}%20status%3Afailed")
    )

    page.get_by_role("button", name="Resolve").click()

    expect(page.get_by_text("The issue is resolved now.")).to_be_visible()
    page.goto("/ops/history")
    expect(page.get_by_role("cell", name="called the issue resolved")).to_be_visible()


@pytest.fixture
def furnished(bridge, receive):
    """Something of everything there can be on these pages."""
    services, now = bridge.services, bridge.services.clock()
    for number in range(5):
        receive(number)
    receive(phone="+1281332", name="Short Number")
    with working(services):
        issues = []
        while not issues:
            issues = services.issues.all()
    receive(20)
    services.ordering.list.add(
        [Unwanted(phone=f"+165025300{number}{number}", added=now - timedelta(hours=number), note="by letter") for number in range(4)]
    )
    for headers in ({}, {"webhook-id": "x", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": "v1,AAAA"}):
        request = Delivery(
            source="billing",
            body=b'{"type": "x", "phone": "+12813322575"}',
            url="http://bridge/webhooks/billing?a=b",
            received_at=now,
            headers=headers,
        )
        with pytest.raises(Unverified):
            services.ingest.take(request)
    services.operating.pause("campaign:follow-up", "bert", "the script is wrong")
    services.totals.note(now)
    return (
        "",
        "issues?state=all",
        f"issues/{issues[0].fingerprint}",
        "sources",
        "sources/billing",
        "switches",
        "campaigns",
        "campaigns/welcome",
        "do-not-call",
        "history",
    )


@pytest.fixture
def watched(open_page, log_in, assert_accessible):
    """A page in which somebody is logged in, and what looks whether everybody can use it."""

    def opened(**more):
        page = open_page(**more)
        log_in(page)
        return page, assert_accessible

    return opened


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_how_everything_is_is_accessible_and_fits_the_screen(watched, furnished, scheme, size):
    page, assert_accessible = watched(color_scheme=scheme, viewport=size)
    for path in furnished:
        page.goto(f"/ops/{path}")
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path


def test_without_a_script_everything_can_be_seen_and_switched(open_page, log_in, furnished):
    page = open_page(java_script_enabled=False)
    log_in(page)
    page.get_by_role("link", name="7 days").click()
    expect(page.get_by_role("heading", name="The last 7 days")).to_be_visible()
    expect(page.get_by_role("link", name="Reload to see what has changed").first).to_be_visible()
    page.locator("select[name=source]").select_option("billing")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("source=billing"))

    page.goto("/ops/switches")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Campaign follow-up goes on.")).to_be_visible()
