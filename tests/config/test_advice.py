import pytest

from bridge.config import load, warnings


@pytest.fixture
def advice(tmp_path):
    def given(text):
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return warnings(load(path, {}))

    return given


QUIET = """\
server: {ops_token: sixteen-letters-, operators: {anna: token-of-anna-and-nobody}, public_url: "https://bridge.example.com"}
campaigns: {welcome: {token: t}}
sources: {hubspot: {kind: hubspot, secret: s, api_token: t}}
rules: [{name: r, on: contact.*, call: {campaign: welcome}}]
"""


def test_nothing_is_said_of_a_configuration_that_leaves_nothing_open(advice):
    assert advice(QUIET) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (', public_url: "https://bridge.example.com"', "", "hubspot signs the URL"),
        ("sixteen-letters-", "fifteen-letters", "server.ops_token: shorter than 16"),
        ("token-of-anna-and-nobody", "anna", "server.operators.anna: shorter than 16"),
        ("secret: s", "insecure: true", "anybody who reaches the bridge"),
        ("secret: s", "secret: change-me", "still the example's"),
        ("welcome: {token: t}", "welcome: {token: change-me}", "still the example's"),
        (", api_token: t", "", "cannot be looked up"),
        ("call: {campaign: welcome}", "cancel: true", "campaigns.welcome: no rule uses it"),
        (", call: {campaign: welcome}", "", "neither calls nor cancels"),
        ("rules:", "redis: {durability: everysec}\nrules:", "power cut"),
        ("rules:", "redis: {durability: unsafe}\nrules:", "power cut"),
        ("rules:", "mode: shadow\nrules:", "calls nobody"),
        ("rules:", "mode: allowlist\nallowlist: ['+16500000000']\nrules:", "calls only the numbers"),
        ("rules: [{name: r", "rules: [{name: r, source: other", "sources.hubspot: no rule is for it"),
        ("contact.*", "deal.stagechanged", "did you mean 'deal.stage_changed'?"),
        ("contact.*", "purchase", "which none of its sources sends"),
    ],
)
def test_what_is_allowed_and_worth_saying_is_said(advice, old, new, words):
    text = QUIET.replace(old, new).replace("sources: {", "sources: {other: {kind: pipedrive, secret: 'a:b', api_token: t}, ")

    assert any(words in line for line in advice(text))


def test_a_configuration_without_sources_is_told_what_that_means(advice):
    assert any("answered 404" in line for line in advice("mode: live\n"))
