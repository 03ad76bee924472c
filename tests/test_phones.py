"""Any spelling of a number, and none that is no number."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.phones import mask, to_e164, wire


@pytest.mark.parametrize(
    ("written", "region", "read"),
    [
        ("(281) 332-2575", "US", "+12813322575"),
        ("+1 281 332 2575", None, "+12813322575"),
        ("0049 30 901820", "DE", "+4930901820"),
        ("030 901820", "DE", "+4930901820"),
        ("12813322575", None, "+12813322575"),
        (12813322575, None, "+12813322575"),
        ("2813322575", None, None),
        ("+1 281 332 2575 ext. 12", None, "+12813322575"),
        ("", "US", None),
        ("   ", "US", None),
        (None, "US", None),
        (True, "US", None),
        (["+12813322575"], None, None),
        ("911", "US", None),
        ("not a number", "US", None),
        ("+999999999999999999", None, None),
    ],
    ids=repr,
)
def test_a_number_is_read(written, region, read):
    assert to_e164(written, region) == read


@given(st.text(max_size=30) | st.from_regex(r"\A\+?[0-9 ()./-]{3,20}\Z"), st.sampled_from([None, "US", "DE", "BR", "IT"]))
@example("+4900000000000000", None)
@example("+4900000", None)
def test_what_is_read_is_e164_and_reads_as_itself(written, region):
    read = to_e164(written, region)

    if read is not None:
        assert re.fullmatch(r"\+[1-9][0-9]{4,14}", read)
        assert to_e164(read) == read
        assert wire(read) == read[1:]


@given(st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"))
def test_a_masked_number_cannot_be_called(number):
    masked = mask(number)

    assert number not in masked
    assert sum(char.isdigit() for char in masked) <= 5


@pytest.mark.parametrize(("number", "masked"), [("+16502530000", "+165…00"), ("16502530000", "165…00"), ("12", "…"), ("", "…")])
def test_a_mask_leaves_enough_to_recognise_a_number_one_knows(number, masked):
    assert mask(number) == masked
