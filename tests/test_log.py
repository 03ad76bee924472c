"""Lines that anybody may read: JSON, one per line, and nobody's number or secret in them."""

import io
import json
import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.log import JsonLines, configure, redact, wide

PHONE = "+16502530000"
SECRET = "s3cr3t-0123456789abcdef"


def line(message, **extra):
    record = logging.makeLogRecord({"name": "callbridge.attempt", "levelno": logging.INFO, "levelname": "INFO", "msg": message, **extra})
    return JsonLines().format(record)


@pytest.mark.parametrize(
    "text",
    [
        f"called {PHONE}",
        "called +1 (650) 253-0000 twice",
        "called +1\u00a0650\u00a0253\u00a00000",
        f"refs phone:{PHONE}",
        "phone=16502530000&name=Alex",
        "phone=%2B16502530000",
        '{"phone": "16502530000"}',
        '[{"phone":"16502530000","payload":{}}]',
        '{"phones": ["16502530000"]}',
        "phone: 1-650-253-0000",
    ],
)
def test_no_line_has_a_whole_number(text):
    for written in (line(text), line("x", body=text), line("x", nested={"body": text})):
        digits = "".join(char for char in written.split('"message"')[1] if char.isdigit())
        assert "6502530000" not in digits
        json.loads(written)


@pytest.mark.parametrize(
    "text",
    [
        f"POST https://ds.tovie.ai/api/calls/campaign/{SECRET}/addPhones",
        f'"/api/crmCalls/campaign/{SECRET}"',
        f"Authorization: Bearer {SECRET}",
        f'{{"authorization": "bearer {SECRET}"}}',
        f"Authorization: Basic {SECRET}",
        f"Authorization: Token {SECRET}",
        f"redis://:{SECRET}@localhost:6379/0",
        f"redis://user:{SECRET}@localhost",
        f"https://api.example.com/deals?api_token={SECRET}&limit=1",
        f"x-api-token: {SECRET}",
        f'{{"api_token": "{SECRET}"}}',
        f"X-Webhook-Secret: {SECRET}",
        f"password={SECRET}",
    ],
)
def test_no_line_has_a_secret(text):
    for written in (line(text), line("x", body=text), line("x", nested={"body": text})):
        assert SECRET not in written
        assert json.loads(written)["logger"] == "callbridge.attempt"


@pytest.mark.parametrize(
    "text",
    [
        "call job 5665336642 was made",
        "2026-11-23T08:40:00Z",
        "hubspot:1.contact.creation.101:1763800000000",
        "HubSpot refused api_token (401)",
        "the platform does not know this campaign's token; goes on by itself",
        "no phone number yet: contact.phone is empty",
    ],
)
def test_ids_times_and_reasons_stay_readable(text):
    assert redact(text) == text


@given(st.text(), st.text())
@example("", 'ACCESSTOKEN="')
@example("", "secret=")
@example("secret=", "")
def test_every_line_is_one_json_object_whatever_was_logged(message, value):
    written = line("%s", args=(message,), extra_field=value)

    assert "\n" not in written
    assert set(json.loads(written)) >= {"at", "level", "logger", "message"}


AROUND = st.text(st.characters(exclude_categories=["Cs", "Nd"]), max_size=12)


@given(AROUND, st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"), AROUND)
def test_a_number_is_masked_wherever_it_stands(before, number, after):
    written = line(f"{before} {number} {after}")

    assert number not in written
    assert number[1:] not in written


@given(AROUND, st.from_regex(r"\A[A-Za-z0-9._-]{16,60}\Z"), st.sampled_from(['"', "'", "\n", " ", "/", "\\", ""]))
def test_a_token_is_cut_wherever_its_path_ends(before, token, after):
    written = line(f"{before} /api/calls/campaign/{token}{after}")

    assert token not in written
    json.loads(written)


def test_an_exception_is_in_the_line_and_its_secrets_are_not():
    try:
        int(f"https://x/api/calls/campaign/{SECRET}/addPhones for {PHONE}")
    except ValueError as error:
        written = line("failed", exc_info=(type(error), error, error.__traceback__))

    told = json.loads(written)
    assert "ValueError" in told["error"]
    assert SECRET not in written
    assert PHONE not in written


def test_what_is_not_known_is_left_out_of_a_wide_line():
    stream = io.StringIO()
    before = (logging.getLogger().handlers[:], logging.getLogger().level)
    try:
        configure(stream)
        wide(logging.getLogger("callbridge.test"), "event", {"key": "crm:1", "status": None, "reason": "", "jobs": ("1",), "tries": 0})
    finally:
        logging.basicConfig(level=before[1], handlers=before[0], force=True)

    told = json.loads(stream.getvalue())
    assert {name: told[name] for name in told if name not in {"at", "level", "logger"}} == {
        "message": "event",
        "key": "crm:1",
        "jobs": ["1"],
        "tries": 0,
    }
