"""An operator in front of a browser."""

import pytest
from playwright.sync_api import expect

SHARED, ANNA = "shared-token-of-everybody", "token-of-anna-and-nobody-else"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


def test_he_logs_in_and_out(page, log_in):
    page.goto("/ops/search?q=1")
    assert page.url.endswith("/ops/login?next=/ops/search?q%3D1")

    log_in(page, SHARED, "Dora Klein")
    expect(page.get_by_role("heading", level=1)).to_have_text("Why was this customer called, or not?")
    expect(page.get_by_text("Dora Klein")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("You are logged out.")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Token")).to_be_visible()


def test_who_logs_in_wrongly_ten_times_has_to_wait_even_with_the_right_token(page, log_in):
    for number in range(10):
        log_in(page, f"wrong-{number}")
        expect(page.get_by_role("alert")).to_contain_text("This token is nobody's.")

    log_in(page, ANNA)

    expect(page.get_by_role("heading", level=1)).to_have_text("Too many wrong tokens")
    expect(page.get_by_text("Try again in 15 minutes")).to_be_visible()
    page.goto("/ops/")
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_form_that_has_become_old_says_so(page, log_in):
    log_in(page)
    page.context.clear_cookies(name="callbridge-forms")

    page.get_by_role("button", name="Log out").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("The form had become old")


def test_without_a_script_he_gets_just_as_far(open_page, log_in):
    page = open_page(java_script_enabled=False)

    log_in(page)
    page.goto("/ops/gallery")
    expect(page.get_by_role("link", name="Reload to see what has changed")).to_be_visible()
    expect(page.get_by_role("button", name="Switch between light and dark")).to_be_hidden()
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("You are logged out.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_is_accessible_and_none_is_wider_than_the_screen(open_page, log_in, assert_accessible, scheme, size):
    page = open_page(color_scheme=scheme, viewport=size)
    page.goto("/ops/login")
    assert_accessible(page)

    log_in(page)
    for path in ("/ops/", "/ops/gallery", "/ops/nothing", "/ops/logout"):
        page.goto(path)
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
