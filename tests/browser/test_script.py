"""What the pages' own script adds."""

import pytest
from playwright.sync_api import expect


@pytest.fixture
def gallery(page, log_in):
    log_in(page)
    page.goto("/ops/gallery")
    return page


@pytest.fixture
def hasty(page, log_in):
    """The gallery in a browser whose timers go twenty times as fast."""
    page.add_init_script("{ const later = setTimeout; window.setTimeout = (what, pause) => later(what, pause / 20); }")
    log_in(page)
    page.goto("/ops/gallery")
    return page


def shown(page):
    return int(page.locator("#asked").inner_text())


def test_a_part_keeps_itself_fresh_without_taking_focus_scroll_or_what_was_opened(gallery):
    gallery.locator("#going-on summary").click()
    gallery.locator("#inside").focus()
    gallery.evaluate("scrollTo(0, 300)")
    before = shown(gallery)

    expect(gallery.locator("#asked")).not_to_have_text(str(before))

    assert gallery.evaluate("document.activeElement.id") == "inside"
    assert gallery.evaluate("scrollY") == 300
    assert gallery.locator("#going-on details").get_attribute("open") is not None
    assert gallery.locator("#going-on progress").get_attribute("value") == str(shown(gallery))


def test_what_has_not_changed_is_left_as_it_is(hasty):
    html, asked = hasty.content(), []
    hasty.route("**/ops/gallery", lambda route: (asked.append(1), route.fulfill(body=html, content_type="text/html")))

    def wait_for_more(looks):
        wanted = len(asked) + looks
        while len(asked) < wanted:
            hasty.wait_for_timeout(50)

    wait_for_more(2)
    hasty.evaluate("document.querySelector('#inside').marked = true")
    wait_for_more(3)

    assert hasty.evaluate("document.querySelector('#inside').marked") is True


def test_it_rests_while_nobody_looks(gallery, bridge):
    expect(gallery.locator("#asked")).not_to_have_text(str(shown(gallery)))
    gallery.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    gallery.wait_for_timeout(300)  # for one that is on its way
    asked = bridge.counted

    gallery.wait_for_timeout(1500)

    assert bridge.counted == asked


def test_it_stops_and_says_so_when_it_is_refused(hasty, bridge, log_in):
    bridge.failing = True

    expect(hasty.get_by_role("link", name="Reload the page")).to_be_visible()
    expect(hasty.get_by_text("Not fresh since")).to_be_visible()


def test_the_login_page_never_takes_the_place_of_a_part(hasty):
    hasty.context.clear_cookies(name="callbridge-session")

    expect(hasty.get_by_text("Not fresh since")).to_be_visible()
    expect(hasty.get_by_label("Token")).to_be_hidden()


def test_the_slash_goes_to_the_search_box_and_is_a_letter_in_it(gallery):
    gallery.keyboard.press("/")
    gallery.keyboard.type("a/b")

    expect(gallery.get_by_label("Search events")).to_have_value("a/b")


def test_what_cannot_be_undone_is_asked_first(gallery, bridge):
    asked = []
    gallery.once("dialog", lambda dialog: asked.append(dialog.message) or dialog.dismiss())
    gallery.get_by_role("button", name="Stop the campaign").click()
    assert (asked, bridge.sent) == (["Stop it? A stopped campaign cannot be started again."], [])

    gallery.once("dialog", lambda dialog: dialog.accept())
    gallery.get_by_role("button", name="Stop the campaign").click()
    assert len(bridge.sent) == 1


def test_a_button_does_what_it_says_with_its_fields(gallery, bridge):
    gallery.get_by_role("button", name="Replay").click()

    assert bridge.sent[0]["key"] == "hubspot:1"


def test_light_and_dark_are_remembered(gallery):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = gallery.evaluate(ground)

    gallery.get_by_role("button", name="Switch between light and dark").click()
    dark = gallery.evaluate(ground)
    gallery.goto("/ops/")

    assert light != dark
    assert gallery.evaluate(ground) == dark
    gallery.get_by_role("button", name="Switch between light and dark").click()
    assert gallery.evaluate(ground) == light


def test_the_skip_link_is_the_first_thing_the_keyboard_finds(gallery):
    gallery.keyboard.press("Tab")
    expect(gallery.get_by_role("link", name="Skip to the content")).to_be_focused()

    gallery.keyboard.press("Enter")
    assert gallery.evaluate("document.activeElement.id") == "main"


def test_text_can_be_copied(open_page, log_in):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    log_in(page)
    page.goto("/ops/gallery")

    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#answer").inner_text()


def test_no_request_leaves_the_bridge(page, log_in, bridge):
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    log_in(page)
    page.goto("/ops/gallery")

    assert [url for url in asked if not url.startswith((bridge.url, "data:"))] == []
