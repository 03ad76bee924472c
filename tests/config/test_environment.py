import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config.environment import interpolate
from bridge.config.yaml_lines import parse


def fill(text, **environ):
    return interpolate(parse(text), environ)


@pytest.mark.parametrize("value", ["a#b", "a: b", "'", '"', "{x}", "*a", "!x", "# all", "a\nb: c", "${OTHER}", "$$", " spaced "])
def test_whatever_is_in_a_variable_arrives_as_it_is(value):
    filled = fill("secret: ${SECRET}\n", SECRET=value)

    assert filled.data == {"secret": value}


@settings(deadline=None)
@given(st.text(min_size=1))
def test_any_variable_arrives_as_it_is(value):
    filled = fill('a: {b: ["${SECRET}"]}\n', SECRET=value)

    assert filled.data == {"a": {"b": [value]}}


def test_variables_stand_anywhere_in_a_text():
    filled = fill("url: redis://:${PASSWORD}@${HOST:-localhost}:6379/0\n", PASSWORD="p@ss")

    assert filled.data == {"url": "redis://:p@ss@localhost:6379/0"}


def test_a_default_counts_when_the_variable_is_not_set_or_empty():
    text = "a: ${A:-x}\nb: ${B:-y}\nc: ${C:-z}\n"

    assert fill(text, A="", B="given").data == {"a": "x", "b": "given", "c": "z"}


def test_two_dollars_are_one_and_a_lone_dollar_is_itself():
    filled = fill("a: $${NOT}\nb: pa$$word\nc: $x and 5$\nd: ${D:-a$$b}\n")

    assert filled.data == {"a": "${NOT}", "b": "pa$word", "c": "$x and 5$", "d": "a$b"}
    assert filled.flaws == ()


def test_a_value_that_comes_out_empty_is_left_out_and_one_written_empty_is_not():
    filled = fill('a: ${A:-}\nb: ${B}\nc: ""\nd: ${A:-}${A:-}\n', B="")

    assert filled.data == {"c": "", "d": ""}


def test_an_item_that_comes_out_empty_is_left_out_and_the_others_keep_their_lines():
    filled = fill("secret:\n  - ${OLD:-}\n  - ${NEW}\n", NEW="n")

    assert filled.data == {"secret": ["n"]}
    assert filled.line(("secret", 0)) == 3


def test_every_missing_variable_is_told_with_its_line_and_what_to_do():
    filled = fill("a: ${ONE}\nb:\n  - x\n  - ${TWO}\n")

    assert [flaw.line for flaw in filled.flaws] == [1, 4]
    assert "ONE is not set" in filled.flaws[0].message
    assert "${TWO:-…}" in filled.flaws[1].message


@pytest.mark.parametrize("text", ["a: ${}", "a: ${1A}", "a: ${A", "a: ${A-b}", "a: ${A:-${B}}", "a: ${A B}"])
def test_a_variable_that_is_written_wrong_is_told(text):
    filled = fill(text, A="x", B="y")

    assert "${NAME:-default}" in filled.flaws[0].message


def test_keys_numbers_and_booleans_are_left_alone():
    filled = fill("${A}: 1\nb: true\n", A="x")

    assert filled.data == {"${A}": 1, "b": True}


def test_a_variable_that_is_no_text_is_told_by_its_name():
    filled = fill("a: ${A}\n", A="\udcff")

    assert filled.flaws[0].message == "the variable A is not UTF-8 text"
