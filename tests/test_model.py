"""The nouns: what is written down reads as what it was."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Contact, Entity, Event, Rate, Stage, Status, from_ms, iso, to_ms, unique

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=3))]))  # noqa: DTZ001
WHOLE = MOMENTS.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
EVENTS = st.builds(
    Event,
    source=WORDS,
    kind=WORDS,
    id=WORDS,
    type=WORDS,
    fact=WORDS,
    received_at=WHOLE,
    occurred_at=st.none() | WHOLE,
    entity=st.none() | st.builds(Entity, WORDS, WORDS),
    refs=st.lists(WORDS, max_size=3).map(tuple),
    stage=st.none() | st.builds(Stage, after=WORDS, before=st.none() | WORDS),
    contact=st.none() | st.builds(Contact, id=WORDS, phone=st.none() | WORDS, phones=st.lists(WORDS, max_size=2).map(tuple)),
    fields=st.dictionaries(WORDS, st.none() | WORDS | st.integers() | st.lists(WORDS), max_size=3),
)


@given(EVENTS)
def test_an_event_reads_as_it_was_written(event):
    assert Event.from_document(event.document(), event.fact) == event


@given(MOMENTS)
def test_a_time_is_the_same_millisecond_before_and_after_it_is_written(moment):
    written = datetime.fromisoformat(iso(moment))

    assert to_ms(written) == to_ms(moment)
    assert from_ms(to_ms(moment)) == written
    assert timedelta(0) <= moment - written < timedelta(milliseconds=1)


@given(st.lists(WORDS))
def test_unique_keeps_each_once_in_order(values):
    kept = unique(values)

    assert set(kept) == set(values)
    assert list(kept) == sorted(set(values), key=values.index)


def test_finished_is_what_nobody_has_to_look_at_again():
    assert {status for status in Status if status.finished} == {Status.DONE, Status.SUPPRESSED, Status.FAILED, Status.IGNORED}


def test_a_look_up_adds_and_takes_nothing_away():
    event = Event(source="s", kind="k", id="1", type="t", fact="f", received_at=datetime(2026, 1, 1, tzinfo=UTC), refs=("a",), fields={"x": 1})

    knowing = event.knowing(contact=Contact(id="2"), fields={"y": 2}, refs=("b", "a"))

    assert (knowing.refs, knowing.fields, knowing.contact.id) == (("a", "b"), {"x": 1, "y": 2}, "2")
    assert event.knowing() == event


def test_a_rate_is_spread_evenly():
    assert Rate(count=5, seconds=1).interval == 0.2
