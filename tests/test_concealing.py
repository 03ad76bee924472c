"""No number that could be called stands in a text for a page, however it is spelled."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.concealing import Concealer
from bridge.model import Contact, Entity, Event

NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
PHONE = "+12813322575"
EVENT = Event(
    source="hubspot",
    kind="hubspot",
    id="33:contact.creation:%:1246978001:%:%:1795423200000",
    type="contact.created",
    fact="f",
    received_at=NOW,
    occurred_at=NOW,
    entity=Entity("contact", "1246978001"),
    refs=("contact:1246978001", f"phone:{PHONE}", "deal:5551234567"),
    contact=Contact(id="1246978001", phone=PHONE, phones=(PHONE, "+4930901820")),
)
CONCEALER = Concealer.of([EVENT])
BESIDE = ["", "x", "a 7", "\u0661 "]
SPELLINGS = [
    "+12813322575",
    "12813322575",
    "2813322575",
    "(281) 332-2575",
    "+1 281.332.2575",
    "+1\u00a0281\u00a0332\u00a02575",
    "001 281 332 25 75",
    "%2B12813322575",
    "%2B1%20%28281%29%20332-2575",
    "+1+(281)+332-2575",
    "\\u002b1\\u00a0281\\u00a0332\\u00a02575",
    "%31%32813322575",
    "\\u0031\\u0032813322575",
    "١٢٨١٣٣٢٢٥٧٥",
    "\\u0661\\u0662\\u0668\\u0661\\u0663\\u0663\\u0662\\u0662\\u0665\\u0667\\u0665",
    "1&nbsp;281&nbsp;332&nbsp;2575",
    "281\\/332\\/2575",
    "tel12813322575x",
]


@pytest.mark.parametrize("spelled", SPELLINGS)
@pytest.mark.parametrize("around", ["{}", '{{"phone": "{}"}}', "phone={}&name=Alex", "a{}b", "10%{}"])
def test_the_persons_number_is_hidden_in_every_spelling_and_every_text(spelled, around):
    text = around.format(spelled)

    for shown in (CONCEALER.ours(text), CONCEALER.theirs(text)):
        assert "3322575" not in digits(shown)
        assert "…" in shown


def digits(text):
    return "".join(char for char in text if char.isdigit())


@given(st.text(alphabet=" ()-./+\u00a0\t", max_size=3), st.text(max_size=5), st.text(max_size=5))
def test_whatever_stands_between_its_digits(between, before, after):
    text = f"{before}{between.join('12813322575')}{after}"

    assert "3322575" not in digits(CONCEALER.theirs(text))


@pytest.mark.parametrize("text", ["+49 30 901820", "phone: 0044 20 7946 0958", "8 (495) 123-45-67", '{"mobile": 79123456789}', "4930901821"])
def test_what_a_stranger_wrote_is_hidden_when_it_looks_like_a_number(text):
    assert len(digits(CONCEALER.theirs(text))) <= 5


@pytest.mark.parametrize(
    "text",
    [
        '"objectId": 1246978001, "deal": "5551234567"',
        '"occurredAt": 1795423200000, "at": 1795423201',
        "2026-11-23T08:40:00.123Z",
        "2026-11-23 08:40:00+03:00",
        "2026-11-23",
        "00912345-1234-1234-1234-123456789012",
        "x-signature: 9123456789012345678901234567890a",
        "33, 44, 555",
        "id 123456",
    ],
)
def test_what_is_known_to_be_something_else_stays(text):
    assert CONCEALER.theirs(text) == text


def test_sentences_of_the_bridge_keep_their_ids():
    told = "stop mark: hubspot:3816279480 says so since 2026-11-23T08:40:00Z; call job 5665336653"

    assert CONCEALER.ours(told) == told
    assert CONCEALER.ours("code phone.bad.format for +74951234567") == "code phone.bad.format for +749…67"


def test_an_id_that_is_the_number_is_the_number():
    lead = Event(source="crm", kind="generic", id=f"lead-{PHONE}", type="lead.created", fact="f", received_at=NOW, contact=Contact(phone=PHONE))

    assert "3322575" not in Concealer.of([lead]).ours(f"crm:lead-{PHONE}")


def test_a_time_of_another_year_may_be_a_number():
    assert CONCEALER.theirs("1462216307945") == "146…45"


def test_switched_off_it_hides_nothing():
    assert Concealer.of([EVENT], off=True).theirs(PHONE) == PHONE


def test_a_long_text_takes_no_long_time():
    text = ("1 2 3 4 a " * 20_000) + ("1" * 200_000) + ("0" * 30 + "g") * 5_000 + ("(" * 200_000)

    assert len(CONCEALER.theirs(text)) < len(text)


@given(st.lists(st.sampled_from([*SPELLINGS, *BESIDE, "2026-11-23T08:40:00Z", "text"]), max_size=30).map("; ".join), st.integers(0, 300))
def test_the_beginning_of_a_text_is_concealed_as_the_whole_is(text, most):
    assert CONCEALER.theirs(text).startswith(CONCEALER.beginning(text, most))
    assert CONCEALER.beginning(text, len(text)) == CONCEALER.theirs(text)
    assert Concealer(off=True).beginning(text, most) == text[:most]


@pytest.mark.parametrize("most", [1, 3, 20, 400])
def test_a_number_that_goes_on_behind_the_beginning_is_hidden(most):
    assert sum(char.isdigit() for char in CONCEALER.beginning("1 " * 1000, most)) < 7
