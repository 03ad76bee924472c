"""JSON, and forms and XML read into what JSON would have said."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Unreadable
from bridge.sources.bodies import DEEPEST, read_fields, read_form, read_json, read_xml, starts_with

# JSON.


def test_a_body_with_a_byte_order_mark_is_read():
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"NaN", b"[Infinity]", b"1e999", b"{'a': 1}"])
def test_what_is_not_json_is_refused(body):
    with pytest.raises(Unreadable, match=r"not JSON|not UTF-8"):
        read_json(body)


def test_a_body_may_nest_as_deep_as_any_crm_does_and_no_deeper():
    assert read_json(b"[" * DEEPEST + b"]" * DEEPEST)
    with pytest.raises(Unreadable, match="nests deeper"):
        read_json(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1))


def test_brackets_in_a_text_are_no_depth():
    assert read_json(json.dumps({"note": "[" * 500}).encode()) == {"note": "[" * 500}


def test_half_a_character_is_replaced_and_a_whole_one_stays():
    body = rb'{"half \ud800": ["\udc00"], "whole": "\ud83d\ude00"}'

    assert read_json(body) == {"half \ufffd": ["\ufffd"], "whole": "😀"}


# Forms.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", {}),
        ("a=1&b=&c=%20", {"a": "1", "b": "", "c": " "}),
        ("phone=%2B16500000000&name=Alex+Doe", {"phone": "+16500000000", "name": "Alex Doe"}),
        ("contact.phone=1&contact.name=2", {"contact": {"phone": "1", "name": "2"}}),
        ("contact[phone]=1&contact[name]=2", {"contact": {"phone": "1", "name": "2"}}),
        ("contact%5Bphone%5D=1", {"contact": {"phone": "1"}}),
        ("contact.phones[]=1&contact.phones[]=2", {"contact": {"phones": ["1", "2"]}}),
        ("a[0][id]=1&a[1][id]=2", {"a": [{"id": "1"}, {"id": "2"}]}),
        ("a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        ("a[0]=x&a[2]=z", {"a": {"0": "x", "2": "z"}}),
        ("0=x&1=y", ["x", "y"]),
        ("a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        ("a[b]=1&a[b]=2", {"a": {"b": ["1", "2"]}}),
        ("a=1&a.b=2", {"a": {"b": "2"}}),
        ("a.b=1&a=2", {"a": [{"b": "1"}, "2"]}),
        ("a..b=1&.=2&a[b=3", {"a..b": "1", ".": "2", "a[b": "3"}),
        ("name=%D0%90%D0%BB%D0%B5%D0%BA%D1%81&smile=%F0%9F%98%80", {"name": "Алекс", "smile": "😀"}),
    ],
)
def test_a_form_is_read_with_its_nested_names(body, expected):
    assert read_form(body.encode()) == expected


@given(st.dictionaries(st.text("abcxyz", min_size=1), st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_flat_form_comes_back_as_it_was_written(fields):
    assert read_form(urlencode(fields).encode()) == fields


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%ff", b"&".join([b"a=1"] * 5001)], ids=["bytes", "escapes", "too many"])
def test_what_is_no_form_is_refused(body):
    with pytest.raises(Unreadable, match="not a form"):
        read_form(body)


def test_a_form_may_nest_as_deep_as_json_and_no_deeper():
    assert read_form(b"a" + b"[b]" * (DEEPEST - 1) + b"=1")
    with pytest.raises(Unreadable, match="nests deeper"):
        read_form(b"a" + b"[b]" * DEEPEST + b"=1")


# XML.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<first_name>Bryan</first_name><age>27</age>", {"first_name": "Bryan", "age": "27"}),
        ("<event><id>1</id><type>x</type></event>", {"id": "1", "type": "x"}),
        ('\n<?xml version="1.0" encoding="UTF-8"?>\n<event><id>1</id></event>\n', {"id": "1"}),
        ("<event><contact><phone>1</phone></contact></event>", {"contact": {"phone": "1"}}),
        ("<contact><phone>1</phone></contact><id>2</id>", {"contact": {"phone": "1"}, "id": "2"}),
        ("<id>1</id>", {"id": "1"}),
        ("<id/>", {"id": ""}),
        ("<a>1</a><a>2</a>", {"a": ["1", "2"]}),
        ("<e><a> x </a><b></b><c><![CDATA[<&]]></c><d>&lt;&#43;</d></e>", {"a": "x", "b": "", "c": "<&", "d": "<+"}),
        ('<e xmlns="urn:x" xmlns:y="urn:y"><a z="1">1</a><y:b>2</y:b></e>', {"a": "1", "b": "2"}),
        ("<e><!-- no --><a>1</a></e>", {"a": "1"}),
        ("\ufeff<name>Алекс</name>", {"name": "Алекс"}),
    ],
)
def test_xml_is_read_with_or_without_a_root(body, expected):
    assert read_xml(body.encode()) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        b"<a>",
        b"<a></b>",
        b"</root><root>",
        b"<a>&nbsp;</a>",
        b"<y:a>1</y:a>",
        b"<a>\xff</a>",
        '<?xml version="1.0" encoding="utf-16"?><a>1</a>'.encode("utf-16"),
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>1</a>',
    ],
)
def test_what_is_no_xml_or_leads_out_of_the_body_is_refused(body):
    with pytest.raises(Unreadable, match="not XML"):
        read_xml(body)


def test_xml_may_nest_as_deep_as_json_and_no_deeper():
    assert read_xml(b"<a>" * DEEPEST + b"1" + b"</a>" * DEEPEST)
    with pytest.raises(Unreadable, match="nests deeper"):
        read_xml(b"<a>" * 2000 + b"</a>" * 2000)


def test_a_form_is_the_same_form_when_something_made_json_of_it():
    form = read_fields(b"event=ADD&data[FIELDS][ID]=7&list[0]=a&list[1]=b")

    assert form == {"event": "ADD", "data": {"FIELDS": {"ID": "7"}}, "list": ["a", "b"]}
    assert read_fields(b'{"event": "ADD", "data": {"FIELDS": {"ID": "7"}}, "list": ["a", "b"]}') == form
    assert read_fields(b'{"event": "ADD", "data[FIELDS][ID]": "7", "list[0]": "a", "list[1]": "b"}') == form


def test_json_is_known_by_its_first_character_past_a_byte_order_mark_and_blanks():
    assert starts_with(b"\xef\xbb\xbf \n{}", b"[", b"{")
    assert not starts_with(b"a={}", b"{")
    assert read_fields(b'\xef\xbb\xbf{"contact[id]": "7"}') == {"contact": {"id": "7"}}
