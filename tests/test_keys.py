"""Keys: visible ASCII, short enough, and never the same for two events."""

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.keys import LONGEST, cancel_key, digest, event_key, join

SOURCES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")
IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.from_regex(r"\A[!-~]{150,200}\Z")


@given(SOURCES, IDS, st.integers(0, 1000))
def test_every_key_is_visible_ascii_and_fits(source, event_id, place):
    key = event_key(source, event_id)

    for each in (key, cancel_key(key), cancel_key(key, place)):
        assert len(each) <= LONGEST
        assert all("!" <= char <= "~" for char in each)
    assert key.startswith(f"{source}:")
    assert cancel_key(key) == f"{key}:cancel"


@given(SOURCES, IDS, IDS)
@example("crm", "é1", event_key("crm", "é1").removeprefix("crm:"))
@example("crm", "x" * 300, event_key("crm", "x" * 300).removeprefix("crm:"))
def test_two_events_never_share_a_key(source, one, other):
    assert (event_key(source, one) == event_key(source, other)) is (one == other)


@given(IDS, st.integers(0, 50), st.integers(0, 50))
def test_every_call_job_of_a_cancel_has_a_key_of_its_own(event_id, one, other):
    key = event_key("crm", event_id)

    assert (cancel_key(key, one) == cancel_key(key, other)) is (one == other)


def test_an_id_that_fits_is_kept_as_it_is():
    assert event_key("hubspot", "1:a%/?") == "hubspot:1:a%/?"
    assert event_key("crm", "x" * 189) == "crm:" + "x" * 189


PARTS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=4)


@given(PARTS, PARTS)
@example([None], ["%"])
@example([""], [None])
@example(["a:b"], ["a", "b"])
def test_different_parts_never_give_the_same_key(one, other):
    assert (join(*one) == join(*other)) is (one == other)
    assert all("!" <= char <= "~" for char in join(*one))


def test_a_digest_is_for_ever():
    """The first half of SHA-256 of ``abc``, as FIPS 180-2 has it, cut to sixteen digits."""
    assert digest("abc") == digest(b"abc") == "ba7816bf8f01cfea"
