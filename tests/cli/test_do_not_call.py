"""``callbridge do-not-call``: the list by hand, and as CSV."""

import csv
from io import StringIO

import pytest

FRIDAY = "2199-01-01T00:00:00Z"


def listed(configured):
    return {(entry["phone"], entry["campaign"]) for entry in configured.run("do-not-call", "list", "--json").document}


def test_a_number_in_any_spelling_is_put_on_the_list_and_taken_off(configured):
    told = configured.run("do-not-call", "add", "+1 (281) 332-2575", "281 332 2576", "--region", "US", "--note", "asked by letter")

    assert (told.code, told.out) == (0, "2 numbers are on the list.\n")
    assert listed(configured) == {("+12813322575", "*"), ("+12813322576", "*")}
    assert "asked by letter" in configured.run("do-not-call", "list", "+12813322575").out

    told = configured.run("do-not-call", "remove", "+12813322575", "+12813322599")

    assert (told.code, told.out) == (0, "1 number is now off the list. Not on it: +12813322599.\n")
    assert listed(configured) == {("+12813322576", "*")}


def test_an_entry_can_be_for_one_campaign_and_for_a_time(configured):
    told = configured.run("do-not-call", "add", "+12813322575", "--campaign", "welcome", "--until", FRIDAY)

    (entry,) = configured.run("do-not-call", "list", "--json").document

    assert told.code == 0
    assert (entry["campaign"], entry["until"], entry["source"], entry["note"]) == ("welcome", FRIDAY, "operator", "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "call me"), "is no phone number"),
        (("add", "281 332 2576"), "give --region"),
        (("add", "+12813322575", "--campaign", "welcom"), "no campaign is called 'welcom'; there are welcome"),
        (("add", "+12813322575", "--until", "yesterday"), "is no time"),
        (("add", "+12813322575", "--until", "2020-01-01"), "is over already"),
        (("add",), "Missing argument"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(configured, words, why):
    told = configured.run("do-not-call", *words)

    assert told.code == 2
    assert why in told.err
    assert listed(configured) == set()


def test_nothing_on_the_list_is_exit_code_3(configured):
    assert configured.run("do-not-call", "list").code == 3
    assert configured.run("do-not-call", "remove", "+12813322575").code == 3


def test_what_was_exported_can_be_imported(configured):
    configured.run("do-not-call", "add", "+12813322575", "--note", "by letter, on Monday", "--until", FRIDAY)
    configured.run("do-not-call", "add", "+12813322576", "--campaign", "welcome")
    before = configured.run("do-not-call", "list", "--json").document

    exported = configured.run("do-not-call", "export", "list.csv")
    configured.run("do-not-call", "remove", "+12813322575", "+12813322576")
    imported = configured.run("do-not-call", "import", "list.csv")
    after = configured.run("do-not-call", "list", "--json").document

    assert exported.out == "2 entries in list.csv.\n"
    assert (imported.code, imported.out) == (0, "2 numbers are on the list.\n")
    without_time = [[{**entry, "added": ""} for entry in sorted(entries, key=str)] for entries in (before, after)]
    assert without_time[0] == without_time[1]
    assert next(iter(csv.DictReader(StringIO(configured.run("do-not-call", "export").out)))).keys() == before[0].keys()


@pytest.mark.parametrize("note", ['=HYPERLINK("https://evil.example","?")', "+1+1", "@SUM(A1)", "-2", "'=1", "'quoted'", "by letter"])
def test_an_exported_note_is_no_formula_and_comes_back_as_it_was(configured, note):
    configured.run("do-not-call", "add", "+12813322575", "--note", note, "--source", note)

    configured.run("do-not-call", "export", "list.csv")
    (row,) = csv.DictReader(StringIO(configured.run("do-not-call", "export").out))
    configured.run("do-not-call", "remove", "+12813322575")
    configured.run("do-not-call", "import", "list.csv")
    (entry,) = configured.run("do-not-call", "list", "--json").document

    assert row["note"][0] not in "=+-@"
    assert row["source"] == row["note"]
    assert (entry["note"], entry["source"]) == (note, note)


BAD = "Phone, campaign\n+12813322575,\nnonsense,\n+12813322576,nowhere\n"


def test_a_file_with_bad_lines_is_imported_whole_or_not_at_all(configured):
    configured.write("bad.csv", BAD)

    told = configured.run("do-not-call", "import", "bad.csv")

    assert told.code == 1
    assert told.err.splitlines() == [
        "line 3: 'nonsense' is no phone number: write it with + and the country code, or give --region",
        "line 4: no campaign is called 'nowhere'",
        "Nothing was imported: 2 of 3 lines are bad. Correct them, or import the rest with --skip-bad.",
    ]
    assert listed(configured) == set()


def test_the_good_lines_can_be_imported_on_purpose(configured):
    configured.write("bad.csv", BAD)

    told = configured.run("do-not-call", "import", "bad.csv", "--skip-bad")

    assert (told.code, told.out) == (1, "1 number is on the list.\n")
    assert listed(configured) == {("+12813322575", "*")}


def test_a_file_without_names_of_columns_is_no_list(configured):
    configured.write("bare.csv", "+12813322575\n")

    told = configured.run("do-not-call", "import", "bare.csv")

    assert told.code == 1
    assert "one of them `phone`" in told.err


def test_explain_says_that_somebody_on_the_list_would_not_be_called(configured):
    configured.run("do-not-call", "add", "+12813322575", "--note", "by letter")
    file = configured.write("lead.json", {"event_id": "lead-7", "type": "lead.created", "phone": "+12813322575"})

    told = configured.run("explain", file, "--source", "zapier", "--json")

    (event,) = told.document["events"]
    assert event["decision"]["status"] == "suppressed"
    assert "by letter" in event["decision"]["reason"]
    assert event["decision"]["requests"] == []
