"""Monday morning: 300 failed events, replayed by an operator in a browser on the real product, which is killed in the middle of it."""

import json
import os
import shutil
from collections import Counter

import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from bridge.config import load
from bridge.ledger import State
from bridge.model import Status
from bridge.wiring import build

ANNA = "token-of-anna-and-nobody-else"
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = "Chromium is not installed: apt-get install chromium, or name another one with CHROMIUM=/path/to/it"
WRONG = "call: {campaign: welcome, time_zone: fields.zone}"
EVENTS = 300


@pytest.fixture
def page():
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        page = browser.new_page()
        page.set_default_timeout(20_000)
        page.on("dialog", lambda dialog: dialog.accept())
        yield page
        browser.close()


@pytest.fixture
def monday(new_bridge, platform, until):
    """A bridge whose rule sent a time zone that there is not, so that every call was refused; the rule is mended now."""
    bridge = new_bridge()
    written = bridge.config.read_text().replace('server: {bind: "', f'server: {{operators: {{anna: {ANNA}}}, bind: "')
    bridge.config.write_text(written.replace("call: {campaign: welcome}", WRONG))
    bridge.start()
    bridge.up()
    for hundred in range(0, EVENTS, 100):
        deliver(bridge, [lead(number) for number in range(hundred, hundred + 100)])
    until(lambda: count(bridge, "status:failed") == EVENTS, 60)
    assert bridge.stop() == 0
    bridge.config.write_text(written)
    bridge.start()
    return bridge.up()


def lead(number):
    told = {"event_id": f"lead-{number}", "type": "lead.created", "phone": f"+1281332{2000 + number}", "fields": {"zone": "Mars/Olympus"}}
    return {**told, "entity": {"type": "lead", "id": str(number)}}


def deliver(bridge, leads):
    headers = {"Authorization": "Bearer zapier-secret", "Content-Type": "application/json"}
    answer = requests.post(f"http://127.0.0.1:{bridge.port}/webhooks/zapier", data=json.dumps(leads), headers=headers, timeout=20)
    assert answer.status_code == 202, answer.text


def asked(bridge, question):
    services = build(load(bridge.config, {}))
    with services.redis:
        return question(services)


def count(bridge, term):
    return asked(bridge, lambda services: services.search.count(term))


def plan_of(bridge, plan_id):
    return asked(bridge, lambda services: services.planning.one(plan_id))


def log_in(page, bridge):
    page.goto(f"http://127.0.0.1:{bridge.port}/ops/login")
    page.get_by_label("Token").fill(ANNA)
    page.get_by_role("button", name="Log in").click()


def plan_and_run(page, bridge, name, speed, expected):
    """From the search to the running replay; its id."""
    page.goto(f"http://127.0.0.1:{bridge.port}/ops/search?q=status:failed")
    page.get_by_role("link", name="Plan a replay of these").click()
    expect(page.get_by_text(f"{expected} events match now")).to_be_visible()
    page.get_by_role("button", name="Count what it would do").click()
    expect(page.get_by_role("button", name=f"Replay {expected} events")).to_be_visible()
    expect(page.get_by_role("row", name=f"would call now in campaign welcome {expected}")).to_be_visible()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Speed").fill(speed)
    page.get_by_role("button", name=f"Replay {expected} events").click()
    expect(page.get_by_text("It has begun.")).to_be_visible()
    return page.url.rpartition("/")[2]


def cancel_half_way(page, bridge, platform, until, plan_id):
    """What was put in is done, what is left stays failed; how many were put in."""
    until(lambda: plan_of(bridge, plan_id).place > 60, 30)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("It is cancelled.")).to_be_visible()
    plan = plan_of(bridge, plan_id)
    assert plan.state is State.CANCELLED
    assert 60 < plan.replayed < EVENTS
    assert plan.replayed + plan.left == EVENTS
    until(lambda: len(platform.calls()) == plan.replayed, 30)
    assert count(bridge, "status:failed") == plan.left
    return plan.replayed


def kill_everything(bridge, until):
    """``kill -9`` of all its processes, Redis included, and another start."""
    for part in ("bridge run", "bridge worker", "spawn_main", "gunicorn", "valkey-server" if bridge.pids("valkey-server") else "redis-server"):
        if bridge.pids(part):
            bridge.kill(part)
    bridge.started.pop().wait()
    until(lambda: not bridge.pids(), 20)
    bridge.start()
    bridge.up()


@pytest.mark.long
@pytest.mark.timeout(240)
def test_300_failed_events_are_replayed_once_each_although_one_replay_is_cancelled_and_another_killed(monday, platform, until, page):
    log_in(page, monday)
    cancelled = plan_and_run(page, monday, "the first half", "30/s", EVENTS)
    rest = EVENTS - cancel_half_way(page, monday, platform, until, cancelled)
    killed = plan_and_run(page, monday, "the rest of it", "30/s", rest)
    until(lambda: plan_of(monday, killed).place > rest // 3, 30)
    assert plan_of(monday, killed).place < rest
    kill_everything(monday, until)

    page.reload()
    expect(page.get_by_text("the rest of it").first).to_be_visible()
    until(lambda: plan_of(monday, killed).standing == {Status.DONE: rest}, 90)
    second = plan_of(monday, killed)
    assert (second.state, second.total, second.replayed, second.skipped, second.failed) == (State.FINISHED, rest, rest, 0, 0)
    expect(page.locator("#account[data-live]")).to_have_count(0)
    expect(page.get_by_role("link", name=f"done {rest}")).to_be_visible()
    rings = Counter(call["idempotence_key"] for call in platform.calls())
    assert rings == Counter({f"zapier:lead-{number}": 1 for number in range(EVENTS)})
