"""Whose token it is."""

import hmac

import pytest

from bridge.operators import Operators, read_name

NAMED = {"anna": "token-of-anna", "bert": "token-of-bert"}


@pytest.mark.parametrize("token", ["shared", "token-of-anna", "token-of-bert", "nobody's", "", "ß\ud800"])
def test_every_token_is_compared_whichever_is_right(token):
    compared = []

    def equal(one, other):
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    Operators("shared", NAMED, equal).identify(token)

    assert compared == [(32, 32)] * 3


def test_a_token_tells_its_holder():
    operators = Operators("shared", NAMED)

    assert [operators.identify(token).name for token in ("shared", "token-of-anna", "token-of-bert")] == [None, "anna", "bert"]
    assert operators.identify("token-of-ann") is operators.identify("") is None


@pytest.mark.parametrize("shared", [None, ""])
def test_without_any_token_nothing_opens(shared):
    operators = Operators(shared, {})

    assert operators.closed
    assert operators.identify("") is operators.identify("None") is None


def test_what_a_token_proved_is_worth_nothing_under_another_name_for_another_thing_or_with_another_token():
    proof = Operators(None, NAMED).identify("token-of-anna").prove("this")

    assert Operators("shared", NAMED).confirm("anna", "this", proof)
    assert not Operators("shared", NAMED).confirm("bert", "this", proof)
    assert not Operators("shared", NAMED).confirm(None, "this", proof)
    assert not Operators("shared", NAMED).confirm("anna", "that", proof)
    assert not Operators("shared", {"anna": "another"}).confirm("anna", "this", proof)
    assert not Operators("shared", {}).confirm("anna", "this", proof)


def test_forms_are_signed_alike_in_every_process_and_otherwise_after_any_change():
    key = Operators("shared", NAMED).form_key()

    assert key == Operators("shared", dict(reversed(NAMED.items()))).form_key()
    assert len({key, Operators("other", NAMED).form_key(), Operators(None, NAMED).form_key(), Operators("shared", {"anna": "x"}).form_key()}) == 4


def test_no_token_is_in_what_a_holder_looks_like():
    assert "token-of-anna" not in repr(Operators(None, NAMED).identify("token-of-anna"))


@pytest.mark.parametrize(
    ("written", "name"), [(" Anna  Berg ", "Anna Berg"), ("x" * 40, "x" * 40), ("x" * 41, None), (" \t", None), ("a\x00b", None), ("a\u202eb", None)]
)
def test_what_somebody_may_call_himself(written, name):
    assert read_name(written) == name
