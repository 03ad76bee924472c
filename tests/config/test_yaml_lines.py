import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config.yaml_lines import parse


def test_on_is_a_key_like_any_other_and_times_and_dates_stay_text():
    document = parse("on: deal.created\nfrom: 20:00\nday: 2026-11-23\nanswer: yes\nversion: 1.50\ncode: 007\n")

    assert document.data == {"on": "deal.created", "from": "20:00", "day": "2026-11-23", "answer": "yes", "version": "1.50", "code": "007"}
    assert document.flaws == ()


def test_true_false_whole_numbers_and_nothing_are_what_they_look_like():
    document = parse("a: true\nb: false\nc: 42\nd: -1\ne:\nf: ~\ng: 0\n")

    assert document.data == {"a": True, "b": False, "c": 42, "d": -1, "e": None, "f": None, "g": 0}


def test_every_key_and_item_knows_its_line():
    document = parse("mode: live\nrules:\n  - name: one\n    on: [a, b]\n  - name: two\n")

    assert document.lines["mode",] == 1
    assert document.lines["rules", 0, "on", 1] == 4
    assert document.lines["rules", 1] == 5
    assert document.lines["rules", 1, "name"] == 5


def test_a_key_that_stands_twice_names_both_lines_and_the_first_counts():
    document = parse("mode: live\ndata_dir: x\nmode: shadow\n")

    assert document.data == {"mode": "live", "data_dir": "x"}
    assert [(flaw.line, "line 1" in flaw.message) for flaw in document.flaws] == [(3, True)]


def test_keys_that_are_no_text_are_refused_each_on_its_line():
    document = parse("1: a\ntrue: b\n[x]: c\nok: d\n")

    assert document.data == {"ok": "d"}
    assert [flaw.line for flaw in document.flaws] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: c: d\n", 2, "quotes"),
        ("a: 1\nb: 'c\nd: 1\n", 2, "quote"),
        ("a: {b: ${SECRET}}\n", 1, '"${NAME}"'),
        ("a: [1, 2\nb: 1\n", 2, "bracket"),
        ("a:\n  - 1\n b: 2\n", 3, "indentation"),
        ("a: @b\n", 1, "quotes"),
        ("a:\n\tc: d\n", 2, "spaces"),
        ("a: *b\n", 1, "begins with *"),
        ("a: &b &c d\n", 1, "begins with &"),
        ("a: !x!y z\n", 1, "begins with !"),
        ('a: "\\q"\n', 1, "backslash"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: 1\nb: \x07\n", 2, "invisible"),
        ("", 1, "empty"),
        ("# nothing\n", 1, "empty"),
        ("- a\n", 1, "key: value"),
    ],
)
def test_what_is_no_configuration_is_one_flaw_on_its_line(text, line, words):
    document = parse(text)

    assert document.data is None
    assert [flaw.line for flaw in document.flaws] == [line]
    assert words in document.flaws[0].message


@pytest.mark.parametrize(
    "text", ["secret: *hunter2", "secret: &hunter2 &hunter2 x", "secret: !hunter2 x", "secret: !hunter2!x y", "a: {secret: 'hunter2", "%hunter2\n"]
)
def test_no_message_quotes_the_file(text):
    document = parse(text)

    assert document.flaws
    assert not any("hunter2" in flaw.message for flaw in document.flaws)


def test_an_alias_is_followed():
    document = parse("a: &hours {from: x}\nb: *hours\n")

    assert document.data == {"a": {"from": "x"}, "b": {"from": "x"}}
    assert document.lines["b", "from"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
    ],
    ids=["a list in itself", "a mapping in itself", "a billion laughs"],
)
def test_aliases_without_end_are_refused(text):
    document = parse(text)

    assert any("alias" in flaw.message for flaw in document.flaws)


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, 'a: "\\UFFFFFFFF"', "%YAML 1." + "9" * 5000 + "\n---\na: b"])
def test_what_takes_other_readers_down_is_a_flaw(text):
    assert parse(text).flaws


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab01:- \n\t{}[],'\"#&*!|>%@`?~$<.\\=\u00e9")) | st.text())
def test_no_text_makes_it_raise(text):
    document = parse(text)

    assert document.data is not None or document.flaws


def test_half_of_a_character_is_refused_as_a_value_and_as_a_key():
    document = parse('a: "\\ud800"\n"\\udfff": b\n')

    assert [flaw.line for flaw in document.flaws] == [1, 2]
