"""Finding events by what leads to them."""

import locale
import shutil
import subprocess
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from bridge.ledger import Cursor, NewEntry, Search, Wanted
from bridge.model import Contact, Status


def everything(search, wanted=None, size=3):
    """The keys of every page."""
    keys, after = [], None
    while True:
        page = search.page(wanted or Wanted(groups=()), size, after)
        assert len(page.entries) <= size
        keys += [entry.key for entry in page.entries]
        after = page.next
        if after is None:
            return keys


@pytest.fixture
def search(redis):
    return Search(redis)


def by(*terms):
    return Wanted(groups=tuple((f"by:{term}",) for term in terms))


def test_pages_hold_every_event_once_the_newest_first_even_those_of_one_moment(desk, search):
    for moment in range(4):
        desk.accept(*(f"e{moment}{number}" for number in range(5)))
        desk.later(seconds=1)

    assert everything(search) == sorted((f"e{moment}{number}" for moment in range(4) for number in range(5)), reverse=True)


def test_what_comes_in_meanwhile_moves_no_page(desk, search):
    desk.accept("e1", "e2", "e3", "e4")
    first = search.page(Wanted(groups=()), 2)
    desk.later(seconds=1)
    desk.accept("e5")

    assert [entry.key for entry in search.page(Wanted(groups=()), 2, first.next).entries] == ["e2", "e1"]


def test_an_event_is_found_under_the_status_it_has_and_under_no_other(desk, search):
    desk.accept("e1")
    assert everything(search, by("status:queued")) == ["e1"]

    (entry,) = desk.claim()
    assert (everything(search, by("status:queued")), everything(search, by("status:running"))) == ([], ["e1"])

    desk.record(entry, Status.WAITING, wait=60)
    assert (everything(search, by("status:running")), everything(search, by("status:waiting"))) == ([], ["e1"])


def test_everything_asked_for_must_hold_and_one_of_a_group_is_enough(desk, search):
    desk.accept("e1", rule="call")
    desk.accept("e2", rule="stop")
    desk.accept("e3", rule="call", status=Status.FAILED)

    assert everything(search, by("rule:call", "status:queued")) == ["e1"]
    assert everything(search, Wanted(groups=(("by:rule:call", "by:rule:stop"), ("by:status:queued", "by:status:failed")))) == ["e3", "e2", "e1"]


def test_a_person_is_found_by_words_of_the_name_without_case_and_accents(desk, search):
    person = Contact(name="José Álvarez-Núñez", email="Jose@Example.com")
    event = desk.new_event("e1", contact=person)
    desk.ledger.accept("d", {}, [NewEntry(key="e1", status=Status.QUEUED, reason="", event=event)], desk.now)

    assert everything(search, by("word:jose", "word:nunez")) == ["e1"]
    assert everything(search, by("word:jose@example.com")) == ["e1"]
    assert search.words("al") == ("alvarez",)


def test_a_call_job_and_a_campaign_lead_to_their_event(desk, search):
    desk.accept("e1")
    (entry,) = desk.claim()
    desk.record(entry, jobs=("5665",), campaign="welcome")

    assert everything(search, by("job:5665")) == ["e1"]
    assert everything(search, by("campaign:welcome")) == ["e1"]


def test_times_bound_what_is_found(desk, search):
    for key in ("e1", "e2", "e3"):
        desk.accept(key)
        desk.later(minutes=1)
    second = desk.now - timedelta(minutes=2)

    assert everything(search, Wanted(groups=(), since=second)) == ["e3", "e2"]
    assert everything(search, Wanted(groups=(), until=second)) == ["e2", "e1"]


def test_times_bound_what_shares_a_ref_by_when_it_was_accepted_however_lately_it_was_touched(desk, search):
    desk.accept("e1")
    desk.later(minutes=1)
    desk.accept("e2")
    (first,) = desk.claim()
    desk.later(hours=2)
    desk.record(first, Status.DONE)
    ref = (("ref:crm/lead:1",),)
    noon = desk.now - timedelta(hours=2, seconds=30)

    assert everything(search, Wanted(groups=ref, until=noon), size=1) == ["e1"]
    assert everything(search, Wanted(groups=ref, since=noon), size=1) == ["e2"]


def test_a_page_that_looked_long_enough_says_how_far_it_looked_and_goes_on_there(desk, redis):
    for number in range(30):
        desk.accept(f"e{number:02}", status=Status.FAILED if number == 3 else Status.QUEUED)
        desk.later(seconds=1)
    search = Search(redis, looks=10)
    wanted = Wanted(groups=(("by:source:crm",), ("by:status:failed", "by:status:queued")), says="nothing says so")

    page = search.page(wanted, 5)

    assert page.entries == ()
    assert page.looked_back_to == desk.now - timedelta(seconds=10)
    assert everything(search, wanted) == []


def test_a_reason_is_found_by_its_kind(desk, search):
    desk.accept("e1")
    (entry,) = desk.claim()
    desk.record(entry, Status.FAILED, reason="refused by the platform: 'Иван' has 3 numbers, zapier:lead-1 has none")
    desk.accept("e2")
    (entry,) = desk.claim()
    desk.record(entry, Status.FAILED, reason="refused by the platform: 'Анна' has 17 numbers, zapier:lead-2 has none")

    (kind,) = search.causes("By the platform")
    assert everything(search, by(f"cause:{kind}")) == ["e2", "e1"]
    assert search.causes("Иван") == ()


def test_what_retention_took_is_found_no_more_and_leaves_nothing_behind(desk, redis, search):
    person = Contact(name="Alex Doe", phone="+12813322575")
    event = desk.new_event("e1", contact=person, refs=("lead:1", "phone:+12813322575"))
    desk.ledger.accept("d", {}, [NewEntry(key="e1", status=Status.QUEUED, reason="", event=event)], desk.now)
    (entry,) = desk.claim()
    desk.record(entry, Status.FAILED, reason="it failed")

    desk.later(days=90)
    assert desk.ledger.sweep(10, desk.now) == 1

    left = set(redis.keys("callbridge:1:*"))
    assert left == {f"callbridge:1:{name}" for name in ("seen:e1", "delivery:d", "sources", "types", "totals", "causes", "wake")}


def test_a_place_in_the_list_that_somebody_made_up_is_refused():
    for text in ("", "~", "x~y", "12", "99999999999999999~k"):
        with pytest.raises(ValueError, match="no place"):
            Cursor.read(text)


moves = st.lists(st.tuples(st.sampled_from(["accept", "claim", "done", "wait", "fail", "replay", "sweep"]), st.integers(0, 4)), max_size=25)


@given(moves)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_whatever_happens_every_event_is_in_the_index_of_its_status_and_of_its_terms_alone(make_desk, redis, moves):
    redis.flushdb()
    desk, held = make_desk(redis), {}
    for what, number in moves:
        key = f"e{number}"
        if what == "accept":
            desk.accept(key, rule=f"rule {number}")
        elif what == "claim":
            held.update({entry.key: entry for entry in desk.claim()})
        elif what == "sweep":
            desk.later(days=25)
            desk.ledger.sweep(2, desk.now)
        elif what == "replay":
            desk.replay(key)
        elif key in held:
            status = {"done": Status.DONE, "wait": Status.WAITING, "fail": Status.FAILED}[what]
            desk.record(held.pop(key), status, reason=f"because {number}")
    # Why somebody waits who was found busy is written when the attempt is.
    indexed = {(name, key) for name in redis.keys("callbridge:1:by:*") for key in redis.zrange(name, 0, -1) if not desk.is_between(name, key)}
    expected = set()
    for name in redis.keys("callbridge:1:event:*"):
        entry = desk.entry(name.removeprefix("callbridge:1:event:"))
        expected |= {(f"callbridge:1:by:{term}", entry.key) for term in desk.terms(entry) if not desk.is_between(term, entry.key)}
    assert indexed == expected


def _languages():
    """Locales of this machine that sort ``a`` before ``B``."""
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split() if shutil.which("locale") else []
    before = locale.setlocale(locale.LC_COLLATE)
    try:
        for name in [*known, "en_US.UTF-8"]:
            with suppress(locale.Error):
                locale.setlocale(locale.LC_COLLATE, name)
                if locale.strcoll("a", "B") < 0:
                    yield name
    finally:
        locale.setlocale(locale.LC_COLLATE, before)


def test_pages_hold_every_event_once_whatever_language_the_server_was_started_in(start_redis, make_desk):
    language = next(_languages(), None)
    if language is None:
        pytest.skip("this machine knows no language that sorts otherwise than bytes")
    with Redis.from_url(start_redis(locale_collate=language), decode_responses=True) as redis:
        keys = ["a", "B", "c", "D", "e:1", "e1", "F"]
        make_desk(redis).accept(*keys)

        for size in (1, 2, 3):
            assert everything(Search(redis), size=size) == sorted(keys, reverse=True)


def test_what_shares_a_ref_is_found_beside_the_call_job_of_the_same_number_whenever_it_was_touched(desk, search):
    desk.accept("e1", refs=("lead:5665",))
    desk.accept("e2", refs=("lead:7",))
    first, second = sorted(desk.claim(), key=lambda entry: entry.key)
    desk.record(second, jobs=("5665",))
    desk.later(hours=2)
    desk.record(first)

    wanted = Wanted(groups=(("by:job:5665", "ref:crm/lead:5665"),), until=desk.now - timedelta(hours=1))
    assert sorted(everything(search, wanted)) == ["e1", "e2"]


def test_an_event_is_on_a_page_once_though_its_refs_were_touched_at_different_times(desk, search):
    desk.accept("e1", refs=("lead:1", "contact:1"), status=Status.IGNORED)
    desk.later(minutes=1)
    desk.accept("e2", refs=("lead:1",))
    desk.later(minutes=1)
    desk.replay("e1")  # as it reads today it is about the lead alone

    assert everything(search, Wanted(groups=(("ref:crm/lead:1", "ref:crm/contact:1"),)), size=10) == ["e1", "e2"]
