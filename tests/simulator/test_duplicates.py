"""Idempotence keys, and the two wordings of the rule of duplicate numbers."""

from concurrent.futures import ThreadPoolExecutor

import pytest


def test_the_same_key_gives_the_same_job_and_is_counted(sim):
    first = sim.add(key="k")

    again = sim.add(key="k")

    assert again.json() == first.json()
    assert [(call["id"], call["requests"]) for call in sim.calls()] == [(first.json(), 2)]


def test_the_same_key_gives_the_same_ids_of_many(sim):
    numbers = [{"phone": "12025550123"}, {"phone": "12025550124"}]
    first = sim.add_many(*numbers, key="k")

    again = sim.add_many(*numbers, key="k")

    assert again.json() == first.json()
    assert len(sim.calls()) == 2


def test_a_key_is_forgotten_after_24_hours_and_the_phone_rings_again(sim):
    first = sim.add(key="k")
    sim.advance("23h")
    assert sim.add(key="k").json() == first.json()
    sim.advance("1h")

    later = sim.add(key="k")

    assert later.json() != first.json()
    assert len(sim.calls()) == 2


@pytest.mark.parametrize(("cell", "status", "jobs"), [("error", 400, 1), ("old_id", 200, 1), ("new_job", 200, 2)])
def test_what_the_same_key_gives_after_24_hours_can_be_chosen(sim, cell, status, jobs):
    sim.set(same_key_later=cell)
    sim.add(key="k")
    sim.advance("25h")

    answer = sim.add(key="k")

    assert (answer.status_code, len(sim.calls())) == (status, jobs)


def test_a_key_belongs_to_its_campaign(sim):
    sim.add(key="k", token="one")

    sim.add(key="k", token="two")

    assert [call["campaign"] for call in sim.calls()] == ["one", "two"]


def test_a_refusal_is_not_remembered_under_its_key(sim):
    sim.add("1", key="k")

    assert sim.add("12025550123", key="k").status_code == 200


def test_a_refusal_is_remembered_where_the_host_does_so(sim):
    sim.set(remember_errors=True)
    sim.add("1", key="k")

    assert sim.add("12025550123", key="k").json()["type"] == "phone.bad.format"


def test_many_threads_with_one_key_make_one_job(sim):
    with ThreadPoolExecutor(16) as pool:
        ids = {answer.json() for answer in pool.map(lambda _: sim.add(key="k"), range(64))}

    assert len(ids) == 1
    assert [call["requests"] for call in sim.calls()] == [64]


def test_wording_b_refuses_the_same_number_and_payload_within_24_hours(sim):
    sim.add(name="Ann")

    again = sim.add(name="Ann")

    assert again.status_code == 400
    assert (again.json()["type"], again.json()["phone"]) == ("phone.duplicated", "12025550123")
    assert len(sim.calls()) == 1


def test_wording_b_calls_again_after_24_hours(sim):
    sim.add(name="Ann")
    sim.advance("25h")

    assert sim.add(name="Ann").status_code == 200
    assert len(sim.calls()) == 2


def test_wording_b_takes_another_payload_or_campaign_for_another_call(sim):
    sim.add(name="Ann")

    assert sim.add(name="Bob").status_code == 200
    assert sim.add().status_code == 200
    assert sim.add(name="Ann", token="other").status_code == 200


@pytest.mark.parametrize(("switch", "keys"), [("different_keys", ("k1", "k2")), ("one_key", ("k1", None)), ("one_key", (None, "k2"))])
@pytest.mark.parametrize(("cell", "expected"), [("error", (400, 1)), ("old_id", (200, 1)), ("new_job", (200, 2))])
def test_cells_that_nobody_wrote_down_can_be_chosen(sim, switch, keys, cell, expected):
    sim.set(**{switch: cell})
    before = sim.add(key=keys[0])

    answer = sim.add(key=keys[1])

    assert (answer.status_code, len(sim.calls())) == expected
    assert cell != "old_id" or answer.json() == before.json()


def test_wording_a_ignores_the_number_whatever_else_the_request_says(sim):
    sim.set(duplicate_wording="A")
    first = sim.add(key="k1", name="Ann")
    sim.advance("25h")

    again = sim.add(key="k2", name="Bob")

    assert (again.status_code, again.json()) == (200, first.json())
    assert len(sim.calls()) == 1


@pytest.mark.parametrize("wording", ["A", "B"])
def test_the_test_endpoint_calls_the_same_number_again(sim, wording):
    sim.set(duplicate_wording=wording)
    sim.add()

    answers = [sim.get("/api/crmCalls/campaign/welcome/test/addPhone", params={"phone": "12025550123"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(sim.calls()) == 3


@pytest.mark.parametrize("wording", ["A", "B"])
def test_add_phones_has_no_protection_across_requests(sim, wording):
    sim.set(duplicate_wording=wording)
    sim.add()

    sim.add_many({"phone": "12025550123"})
    sim.add_many({"phone": "12025550123"})

    assert len(sim.calls()) == 3
