"""Whatever is wrong, and wherever a secret stands by mistake: no message and no repr shows it."""

import traceback

import pytest

from bridge.config import load
from bridge.errors import ConfigError

SECRET = "hunter2-Zx9"

HEAD = "campaigns:\n  welcome: {token: ok}\n"


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.mark.parametrize(
    "text",
    [
        "campaigns: {a: {token: {SECRET: x}}}",
        "campaigns: {a: {token: {x: SECRET}}}",
        "campaigns: {a: {token: [SECRET]}}",
        "campaigns: {a: {SECRET}}",
        "campaigns: {a: SECRET}",
        "campaigns: SECRET",
        "campaigns: [SECRET]",
        "campaigns: {a: {token: SECRET, SECRET: x}}",
        "campaigns: {a: {token: SECRET}}\nrules: [{name: x, call: {campaign: SECRET}}]",
        "campaigns: {a: {token: x, rate_limit: {token: SECRET}}}",
        "sources: {a: {kind: hubspot, secret: {SECRET: x}}}",
        "sources: {a: {kind: hubspot, secret: [[SECRET]]}}",
        "sources: {a: {kind: hubspot, secret: {SECRET: 1, SECRET: 2}}}",
        "sources: {a: {kind: hubspot, secret: SECRET, api_token: [SECRET]}}",
        "sources: {a: {kind: hubspot, secret: SECRET, region: SECRET}}",
        "sources: {a: {kind: SECRET, secret: SECRET}}",
        "sources: {a: {kind: pipedrive, secret: SECRET}}",
        "sources: {a: SECRET}",
        "server: {ops_token: {SECRET: x}}",
        "server: {ops_token: [SECRET]}",
        "server: {ops_token: SECRET, bind: SECRET}",
        "server: {operators: {SECRET: x, a: {SECRET: x}}}",
        "server: {operators: {'@': SECRET, a: [SECRET]}}",
        "server: {operators: SECRET}",
        "server: {operators: [SECRET]}",
        "server: {ops_token: SECRET, operators: {a: SECRET, b: SECRET}}",
        "redis: {url: 'http://:SECRET@localhost'}",
        "redis: {url: 'redis://:SECRET@[x'}",
        "redis: {url: ['redis://:SECRET@localhost']}",
        "server: {public_url: 'https://x:SECRET@\u2100/'}",
        "alerts: [{url: 'https://a.example/SECRET', secret: SECRET}]",
        "alerts: [{url: 'http://a.example/SECRET', secret: [SECRET]}]",
        "alerts: [{url: 'https://a.example/SECRET', format: slack}, {url: 'https://a.example/SECRET', format: slack}]",
        "alerts: [{url: [SECRET], format: SECRET, on: SECRET, after: SECRET}]",
        "alerts: SECRET",
        "sources: {a: {kind: hubspot, secret: *SECRET}}",
        "sources: {a: {kind: hubspot, secret: !SECRET x}}",
        "sources: {a: {kind: hubspot, secret: 'SECRET}}",
    ],
)
def test_a_secret_in_a_wrong_form_or_place_is_not_told(write, text):
    with pytest.raises(ConfigError) as caught:
        load(write(text.replace("SECRET", SECRET)), {})

    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "text",
    [
        "mode: ${S}",
        "mode: x-${S}",
        "calls_api: {timeout: '${S}'}",
        "calls_api: {crm_params: '${S}', base_url: '${S}'}",
        "server: {bind: '${S}', max_body: '${S}', public_url: '${S}'}",
        "redis: {url: '${S}', durability: '${S}'}",
        "allowlist: ['${S}']",
        "retention: {done: '${S}', dedup: ['${S}']}",
        "sources: {a: {kind: '${S}', secret: x}}",
        "sources: {a: {kind: hubspot, secret: x, region: '${S}', insecure: '${S}'}}",
        "rules: [{name: '${S}', source: '${S}', call: {campaign: '${S}'}}, {name: '${S}', cancel: {campaigns: ['${S}'], scope: '${S}'}}]",
        "rules: [{name: x, where: 'a ${S}', call: {campaign: x, expires: '${S}', payload: {a: '${S} b'}}}]",
        "rules: [{name: x, call: {campaign: x, hours: {from: '${S}', to: '${S}', days: ['${S}']}, schedule: {priority: '${S}'}}}]",
        "rules: [{name: x, call: {campaign: x, expires: {a: '${S}'}, payload: {a: ['${S}']}}}]",
    ],
)
def test_what_a_variable_stands_for_is_not_told_but_its_name_may_be(write, text):
    with pytest.raises(ConfigError) as caught:
        load(write(text), {"S": SECRET})

    told = "".join(traceback.format_exception(caught.value))
    assert not any(part in told for part in SECRET.split("-"))


def test_a_variable_that_does_not_fit_is_told_as_it_is_written(write):
    with pytest.raises(ConfigError) as caught:
        load(
            write("mode: ${MODE}\ncalls_api: {timeout: '${TIMEOUT}'}\nretention: {dedup: '${DEDUP}'}\n"),
            {"MODE": "hush", "TIMEOUT": "soon", "DEDUP": "1h"},
        )

    told = [problem.message for problem in caught.value.problems]
    assert told[0].startswith("'${MODE}' is none of live")
    assert told[1].startswith("timeout: '${TIMEOUT}' is no duration")
    assert "at least 24h" in told[2]


def test_no_repr_shows_a_secret_or_a_phone_number(write):
    text = (
        f"server: {{ops_token: {SECRET}, operators: {{anna: {SECRET}2}}}}\nredis: {{url: 'redis://:{SECRET}@localhost'}}\n"
        f"campaigns: {{a: {{token: {SECRET}}}}}\n"
        f"sources: {{s: {{kind: hubspot, secret: [{SECRET}, {SECRET}], api_token: {SECRET}}}}}\nallowlist: ['+16500000000']\n"
    )

    config = load(write(text), {})

    assert SECRET not in f"{config!r} {config} {config.model_dump(exclude={'redis'})}"
    assert "6500000000" not in repr(config)
    assert config.redis.url == f"redis://:{SECRET}@localhost"
