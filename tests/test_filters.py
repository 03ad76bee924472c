"""What operators write into the box."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Unusable
from bridge.filters import Filter, parse
from bridge.model import Status

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", Filter()),
        ("  8 (999) 123-45-67 ", Filter(text="8 (999) 123-45-67")),
        ("status:failed,unknown", Filter(status=(Status.FAILED, Status.UNKNOWN))),
        ("status:Failed status:unknown", Filter(status=(Status.FAILED, Status.UNKNOWN))),
        ('rule:"call new leads, all" Alex', Filter(rule=("call new leads, all",), text="Alex")),
        ("record:deal:555 source:hubspot", Filter(record=("deal:555",), source=("hubspot",))),
        ("since:24h until:2026-11-23T08:00Z", Filter(since=NOW - timedelta(days=1), until=datetime(2026, 11, 23, 8, tzinfo=UTC))),
        ("since:2026-11-22", Filter(since=datetime(2026, 11, 22, tzinfo=UTC))),
        ('reason:"bad token"', Filter(reason="bad token")),
        ("hubspot:33:contact.creation", Filter(text="hubspot:33:contact.creation")),
    ],
    ids=repr,
)
def test_the_box_is_read(written, meant):
    assert parse(written, NOW) == meant


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("status:lost", "'lost' is no status; there are queued, running"),
        ("since:yesterday", "write 24h for a day ago"),
        ("since:99999999999999w", "is no time"),
        ('rule:""', "what is looked for is missing"),
        ("x" * 501, "longer than 500"),
    ],
    ids=lambda text: text[:20],
)
def test_what_cannot_be_meant_is_told_with_what_could(written, told):
    with pytest.raises(Unusable, match=told):
        parse(written, NOW)


def test_a_name_that_nothing_is_found_by_is_told_in_a_document():
    with pytest.raises(Unusable, match="'colour' is nothing that events are found by; there are status"):
        Filter.from_document({"colour": "red"}, NOW)


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='"'), min_size=1, max_size=12)
some = st.lists(words, max_size=3, unique=True).map(tuple)
moments = st.none() | st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(
    st.builds(Filter, status=st.lists(st.sampled_from(Status), unique=True).map(tuple), rule=some, name=some, job=some, since=moments, until=moments)
)
def test_what_is_meant_reads_the_same_written_down_as_json_and_in_the_box(meant):
    assert Filter.from_document(meant.document(), NOW) == meant
    assert parse(str(meant), NOW) == meant


@given(st.text(max_size=80))
def test_whatever_is_written_is_read_or_refused(written):
    with suppress(Unusable):
        assert isinstance(parse(written, NOW), Filter)
