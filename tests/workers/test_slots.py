"""Slots: whoever is slow leaves room for the others."""

from hypothesis import given
from hypothesis import strategies as st

from workers.slots import Slots

PLACES = ["campaign:a", "campaign:b", "crm:c", "stops"]


def filled(slots, place):
    while slots.admits(place):
        slots.take(place)
    return slots.taken[place]


@given(st.integers(1, 500))
def test_one_place_alone_takes_half_and_no_less(total):
    assert filled(Slots(total), "campaign:a") == total // 2 + 1 if total > 1 else 1


@given(st.integers(32, 500), st.integers(1, 3))
def test_however_many_are_slow_the_next_to_come_finds_room(total, slow):
    slots = Slots(total)
    for place in PLACES[:slow]:
        filled(slots, place)

    assert slots.admits(PLACES[slow])
    assert slots.free >= total // 2 ** (slow + 1)


@given(st.integers(1, 500), st.lists(st.sampled_from(PLACES), max_size=200), st.integers(0, 30))
def test_what_there_is_room_for_can_be_begun_or_held_ready_wherever_it_goes(total, coming, held):
    slots = Slots(total)
    for place in coming:
        if slots.admits(place):
            slots.take(place)

    room = slots.room(held)
    for place in PLACES:
        tried = Slots(total, slots.taken.copy())
        admitted = filled(tried, place) - slots.taken[place]
        assert room <= max(0, admitted + slots.spare - held) or room <= 0


@given(st.integers(8, 500))
def test_beside_a_full_place_there_is_room_for_others(total):
    slots = Slots(total)
    filled(slots, "campaign:a")

    assert slots.room(slots.spare) <= 0
    assert slots.room(slots.spare, beside=frozenset({"campaign:a"})) > 0


def test_others_are_looked_at_for_a_part_of_the_time_that_a_request_of_the_full_place_takes():
    slots = Slots(8)
    for _ in range(20):
        slots.take("campaign:a")
        slots.give("campaign:a", seconds=5.0)

    assert slots.taken == {}
    assert 0.1 < slots.pause("campaign:a").total_seconds() < 5 / 4
