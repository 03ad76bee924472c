"""Signatures and their age."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Refusal, Unverified
from bridge.signing import any_equal, check_age, hmac_sha256, is_time

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_an_hmac_is_the_one_of_the_standard():
    """Test case 2 of RFC 4231."""
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_secret_is_right_when_it_is_one_of_them(secrets, given_secret):
    assert any_equal(secrets, given_secret) is (given_secret in secrets)
    assert any_equal([secret.encode() for secret in secrets], given_secret) is (given_secret in secrets)


def test_nothing_opens_where_there_is_no_secret():
    assert not any_equal([], "")


@pytest.mark.parametrize(("seconds", "refusal"), [(-300, None), (300, None), (-301, Refusal.STALE), (301, Refusal.FUTURE)])
def test_a_signature_is_good_for_five_minutes_either_way(seconds, refusal):
    signed_at = NOW + timedelta(seconds=seconds)

    if refusal is None:
        check_age(signed_at, NOW)
    else:
        with pytest.raises(Unverified) as refused:
            check_age(signed_at, NOW)
        assert refused.value.refusal is refusal


@pytest.mark.parametrize(
    ("written", "digits", "expected"),
    [
        ("1795423200", 11, True),
        ("1795423200123", 14, True),
        ("1795423200123", 11, False),
        ("", 11, False),
        ("-1", 11, False),
        ("1.5", 11, False),
        ("١٧", 11, False),
        ("soon", 11, False),
    ],
)
def test_a_time_is_a_plain_number_that_a_date_can_hold(written, digits, expected):
    assert is_time(written, digits) is expected
