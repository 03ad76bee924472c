"""JMESPath over event documents: what is true, what is not, and what nobody can say yet."""

import re

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.expressions import Expression, truthy

DOCUMENT = {"type": "deal.created", "contact": {"phone": "+1", "name": None}, "fields": {"stage": "won", "tags": ["a"]}}
LEARNABLE = frozenset({"contact", "fields"})


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_what_is_empty_is_not_true(value):
    assert not truthy(value)


@pytest.mark.parametrize("value", [0, 0.0, "0", [None], {"a": None}, True], ids=repr)
def test_nought_is_true(value):
    assert truthy(value)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("contact.phone", {("contact", "phone")}),
        ("contact.phones[0]", {("contact", "phones")}),
        ("contains(fields.tags, 'a') && stage.to == 'won'", {("fields", "tags"), ("stage", "to")}),
        ("@.contact.phone", {("contact", "phone")}),
        ("contact | phone", {("contact", "phone")}),
        ("fields.items[?price > `3`].name", {("fields", "items")}),
        ("sort_by(fields.items, &price)[0]", {("fields", "items")}),
        ("{a: contact.name, b: `1`}", {("contact", "name")}),
        ("'constant'", set()),
        ("@", set()),
        ('fields."Custom Field"', {("fields", "Custom Field")}),
    ],
)
def test_what_an_expression_reads(text, paths):
    assert Expression(text).paths == paths


def test_null_is_there_and_what_is_absent_is_not():
    assert Expression("contact.name || fields.no || stage.to").absent(DOCUMENT) == ["fields.no", "stage.to"]


def test_a_function_of_what_is_absent_is_absent_too():
    assert Expression("contains(stage.to, 'x')").search(DOCUMENT) is None


@pytest.mark.parametrize("text", ["contact.", "foo(", "nofunction(@)[", "'", "!contact.name", "type && !fields.a.b"])
def test_what_cannot_be_read_is_said_to_be_wrong(text):
    with pytest.raises(ValueError, match=r".+"):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("fields.stage == 'won'", True),
        ("fields.stage == 'lost'", False),
        ("fields.other == 'x'", None),
        ("fields.other != 'x'", None),
        ("!(fields.other)", None),
        ("!(contact.name)", True),
        ("fields.stage == 'lost' && fields.other", False),
        ("fields.stage == 'won' && fields.other", None),
        ("fields.stage == 'won' || fields.other", True),
        ("fields.stage == 'lost' || fields.other", None),
        ("!(fields.stage == 'won' || fields.other)", False),
        ("stage.to != 'x'", True),  # no look-up brings a stage
        ("type == 'deal.created'", True),
    ],
)
def test_a_verdict_has_three_values(text, verdict):
    assert Expression(text).verdict(DOCUMENT, LEARNABLE) is verdict


NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.builds(lambda name, value, sign: f"fields.{name} {sign} '{value}'", NAMES, st.sampled_from("xy"), st.sampled_from(["==", "!="]))
LEAVES |= st.builds(lambda name: f"fields.{name}", NAMES) | st.just("contains(fields.a, 'x')") | st.just("stage.to == 'x'")
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(lambda left, sign, right: f"({left} {sign} {right})", inner, st.sampled_from(["&&", "||"]), inner)
        | st.builds(lambda part: f"!({part})", inner)
    ),
    max_leaves=6,
)
FIELDS = st.dictionaries(NAMES, st.sampled_from(["x", "y", "", None]))


@given(EXPRESSIONS, FIELDS, FIELDS)
def test_a_verdict_holds_whatever_is_learned_later(text, known, learned):
    expression, now, later = Expression(text), {"fields": known}, {"fields": {**learned, **known}}

    verdict = expression.verdict(now, LEARNABLE)

    if verdict is not None:
        assert truthy(expression.search(later)) is verdict
        assert truthy(expression.search(now)) is verdict


@given(EXPRESSIONS, FIELDS)
def test_what_is_all_known_is_decided(text, known):
    document = {"fields": {"a": None, "b": None, "c": None, **known}}

    assert Expression(text).verdict(document, LEARNABLE) is truthy(Expression(text).search(document))


@pytest.mark.parametrize(
    "text",
    [
        "fields.amount > `1000`",
        "contains(type, fields.number)",
        "fields.rows[?amount > `3`]",
        "contact.phones[0] >= fields.number",
        "fields.rows[::0]",
        "sort(fields.mixed)",
        "sum(fields.mixed)",
        "abs(fields.amount)",
    ],
)
def test_what_cannot_be_compared_or_counted_is_absent_and_no_error(text):
    fields = {"amount": "5000", "number": 7, "rows": [{"amount": "5"}], "mixed": [1, "a", None]}
    document = {"type": "lead.created", "fields": fields, "contact": {"phones": ["+1"]}}

    expression = Expression(text)

    assert expression.search(document) in (None, [])
    assert expression.verdict(document, frozenset()) is False


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("foo(bar)", "there is no function foo()"),
        ("a || nope(b)", "there is no function nope()"),
        ("contains(foo)", "contains() takes 2 arguments, not 1"),
        ("length(a, b)", "length() takes 1 argument, not 2"),
        ("not_null()", "not_null() takes 1 argument or more, not 0"),
    ],
)
def test_a_function_that_cannot_work_is_refused_where_it_is_written(text, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        Expression(text)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda children: st.dictionaries(st.sampled_from("abc"), children, max_size=3) | st.lists(children, max_size=2),
    max_leaves=8,
)


@given(document=st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=3), path=st.lists(st.sampled_from("abc"), min_size=1, max_size=4))
def test_a_plain_path_finds_what_the_library_finds(document, path):
    text = ".".join(path)

    assert Expression(text).search(document) == jmespath.search(text, document)
