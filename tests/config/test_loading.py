import re
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.config import Config, find, load
from bridge.errors import ConfigError
from bridge.model import Rate
from bridge.sources.hubspot import HubSpotSettings

WHOLE = """\
mode: live
campaigns:
  welcome: {token: t0ken-welcome, rate_limit: 5/s}
sources:
  hubspot: {kind: hubspot, secret: s3cret-hubspot, region: US}
rules:
  - name: call new leads
    source: hubspot
    on: contact.created
    call:
      campaign: welcome
      expires: 24h
      hours: {from: "09:00", to: 20:00}
"""

TEN_MISTAKES = """\
mode: lve
retires: {dedup: 30d}
server:
  bind: "8000"
  ops_token: ${OPS_TOKEN}
calls_api:
  timeout: 10
campaigns:
  welcome: {rate_limit: 5/s}
sources:
  hubspot:
    kind: hubspott
  pipe:
    kind: pipedrive
    api_tokn: x
rules:
  - name: first
    where: contact.(
    call:
      campaign: welcom
  - name: first
    source: [hubspot, zapier]
retention:
  dedup: 1h
"""


@pytest.fixture
def write(tmp_path):
    def written(text, name="config.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def problems(path, **environ):
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return [(problem.where, problem.message) for problem in caught.value.problems]


def test_a_whole_configuration_loads(write):
    config = load(write(WHOLE), {})

    assert config.campaigns["welcome"].rate_limit == Rate(count=5, seconds=1)
    assert isinstance(config.sources["hubspot"], HubSpotSettings)
    assert config.sources["hubspot"].secret[0].get_secret_value() == "s3cret-hubspot"
    assert config.rules[0].on == ("contact.created",)
    assert config.rules[0].call.expires == timedelta(hours=24)
    assert config.rules[0].call.hours.end == time(20, 0)


def test_what_is_left_out_has_its_default(write):
    path = write("mode: live\n")

    config = load(path, {})

    assert (config.server.bind, config.server.public_url, config.server.ops_token, config.server.max_body) == ("127.0.0.1:8000", None, None, 1048576)
    assert (config.redis.url, config.redis.durability) == (None, "always")
    assert config.data_dir == path.parent / "data"
    assert (config.calls_api.base_url, config.calls_api.timeout, config.calls_api.crm_params) == (
        "https://ds.tovie.ai",
        timedelta(seconds=10),
        "form",
    )
    assert [getattr(config.retention, name).days for name in ("dedup", "done", "failed", "ignored")] == [30, 30, 90, 1]
    assert (config.campaigns, config.sources, config.rules, config.allowlist) == ({}, {}, (), ())


def test_a_section_whose_lines_are_all_comments_is_left_out(write):
    config = load(write("mode: shadow\nredis:\n  # url: x\nrules:\nallowlist:\nserver:\n  ops_token:\n"), {})

    assert (config.redis.url, config.rules, config.allowlist, config.server.ops_token) == (None, (), (), None)


def test_an_empty_redis_url_asks_for_the_embedded_one(write):
    assert load(write("redis: {url: ''}\n"), {}).redis.url is None


def test_ten_mistakes_come_at_once_each_with_its_line(write):
    found = problems(write(TEN_MISTAKES))

    lines = [int(where.removeprefix("config.yaml:")) for where, _ in found]
    assert lines == [1, 2, 4, 5, 7, 9, 11, 12, 13, 15, 18, 20, 21, 22, 24]
    told = {line: message for line, (_, message) in zip(lines, found, strict=True)}
    assert told[1] == "'lve' is none of live, shadow, allowlist; did you mean 'live'?"
    assert told[2].startswith("unknown key 'retires'; did you mean 'retention'? known here: mode, allowlist, server")
    assert "host:port" in told[4]
    assert "OPS_TOKEN is not set" in told[5]
    assert "'10' is no duration: write a number and a unit" in told[7]
    assert told[9] == "missing key 'token'"
    assert told[12].startswith("unknown kind 'hubspott'; did you mean 'hubspot'? known: ")
    assert told[15].startswith("unknown key 'api_tokn'; did you mean 'api_token'? known here: kind, secret")
    assert "bad JMESPath" in told[18]
    assert told[20] == "unknown campaign 'welcom'; did you mean 'welcome'? known: welcome"
    assert "the rule on line 17 has this name too" in told[21]
    assert told[22] == "unknown source 'zapier'; known: hubspot, pipe"
    assert "at least 24h" in told[24]
    assert all("this source has no secret" in told[line] for line in (11, 13))


def test_problems_stand_in_the_order_of_their_lines(write):
    lines = [int(where.partition(":")[2]) for where, _ in problems(write(TEN_MISTAKES))]

    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("mode: allowlist\n", 1, "needs `allowlist`"),
        ("allowlist: ['+16500000000', nobody]\n", 1, "no phone number"),
        ("allowlist: '+16500000000'\n", 1, "must be a list"),
        ("server: 8000\n", 1, "'server' must hold `key: value` lines, indented: bind, public_url"),
        ("server: {max_body: lots}\n", 1, "512KiB"),
        ("server: {max_body: 0}\n", 1, "512KiB"),
        ("server: {bind: 'localhost:99999'}\n", 1, "host:port"),
        ("server: {public_url: bridge.example.com}\n", 1, "https://host"),
        ("server: {public_url: 'https://a/?b'}\n", 1, "https://host"),
        ("server: {public_url: 'https://[a'}\n", 1, "https://host"),
        ("server: {public_url: 'https://a b'}\n", 1, "https://host"),
        ("server: {ops_token: ''}\n", 1, "must not be empty"),
        ("server: {ops_token: 'a b'}\n", 1, "ops_token: a token is made of letters"),
        ("server:\n  operators:\n    anna: 'tokén'\n", 3, "anna: a token is made of letters"),
        ("server:\n  operators:\n    a b: x\n", 3, "letters, digits"),
        ("server:\n  operators:\n    anna: ''\n", 3, "must not be empty"),
        ("server:\n  operators:\n    anna: one\n    bert: one\n", 4, "this is also the token of anna"),
        ("server:\n  ops_token: one\n  operators:\n    anna: one\n", 4, "this is also the token of ops_token"),
        ("server:\n  operators:\n    operator: one\n", 3, "give this one another"),
        ("server: {operators: anna}\n", 1, "'operators' must hold `key: value` lines"),
        ("server: {trusted_proxies: -1}\n", 1, "must be 0 or more"),
        ("redis: {url: localhost}\n", 1, "redis://host:6379/0"),
        ("redis: {durability: never}\n", 1, "none of always, everysec, unsafe"),
        ("calls_api: {crm_params: json}\n", 1, "none of form, query"),
        ("calls_api: {timeout: 0s}\n", 1, "longer than nothing"),
        ("data_dir: [x]\n", 1, "path of a folder"),
        ('data_dir: "a\\0b"\n', 1, "characters that can be seen"),
        ("data_dir: ~nobody-has-this-name/x\n", 1, "home directory"),
        ("campaigns: [x]\n", 1, "'campaigns' must hold `key: value` lines"),
        ("campaigns:\n  a b: {token: x}\n", 2, "letters, digits"),
        ("campaigns:\n  a: {token: x, rate_limit: fast}\n", 2, "'fast' is no rate"),
        ("campaigns:\n  a:\n    token:\n", 3, "'token' must not be empty"),
        ("campaigns:\n  a:\n    token: ${T}\n", 3, "'token' must not be empty: ${T} stands for nothing"),
        ("campaigns:\n  a:\n    token: x\n    extra:\n", 4, "unknown key 'extra'"),
        ("sources:\n  a: hubspot\n", 2, "a source must hold"),
        ("sources:\n  a: {secret: x}\n", 2, "missing key 'kind': one of "),
        ("sources:\n  a: {kind: hubspot}\n", 2, "no secret"),
        ("sources:\n  a:\n    kind: hubspot\n    secret: ${T}\n", 4, "no secret"),
        ("sources:\n  a:\n    kind: hubspot\n    secret: [x, '']\n", 4, "empty secret"),
        ("sources:\n  a:\n    kind: hubspot\n    secret: ''\n", 4, "no secret"),
        ("sources:\n  a: {kind: hubspot, secret: x, region: Germany}\n", 2, "'Germany' is no ISO 3166"),
        ("sources:\n  a: {kind: hubspot, insecure: perhaps}\n", 2, "true or false"),
        ("sources:\n  '[key]': {kind: hubspot, secret: x}\n", None, "letters, digits"),
        ("rules: {name: x}\n", 1, "must be a list"),
        ("rules:\n  - call\n", 2, "'rules' must hold `key: value` lines, indented: name, source, on"),
        ("rules:\n  - on: x\n", 2, "missing key 'name'"),
        ("rules:\n  - name: ''\n", 2, "must not be empty"),
        ("rules:\n  - name: x\n    on: 5\n", 3, "must be a list"),
        ("rules:\n  - name: x\n    on: [5]\n", 3, "must be text"),
        ("rules:\n  - name: x\n    on: []\n", 3, "empty list"),
        ("rules:\n  - name: x\n    where:\n", 3, "nothing stands after 'where:'"),
        ("rules:\n  - name: x\n    call:\n", 3, "nothing stands after 'call:'"),
        ("rules:\n  - name: x\n    call: {}\n", 3, "missing key 'campaign'"),
        ("rules:\n  - name: x\n    cancel: {campaigns: []}\n", 3, "empty list"),
        ("rules:\n  - name: x\n    cancel: {campaigns: [a]}\n", 3, "unknown campaign 'a'; there are none under `campaigns`"),
        ("rules:\n  - name: x\n    cancel: {scope: all}\n", 3, "none of refs, entity"),
        ("rules:\n  - name: x\n    call: {campaign: 1, payload: {phone: a}}\n", 3, "name of the Calls API"),
        ("rules:\n  - name: x\n    call: {campaign: a, hours: {from: 9h, to: '20:00'}}\n", 3, "'9h' is no time of day"),
        ("rules:\n  - name: x\n    call: {campaign: a, hours: {from: '21:00', to: '20:00'}}\n", 3, "earlier"),
        ("rules:\n  - name: x\n    call: {campaign: a, hours: {days: [monday], from: '1:00', to: '2:00'}}\n", 3, "'monday' is none of mon, tue"),
        ("rules:\n  - name: x\n    call: {campaign: a, schedule: {priority: 9}}\n", 3, "'priority' must be 5 or less"),
        ("rules:\n  - name: x\n    call: {campaign: a, schedule: {priority: high}}\n", 3, "whole number"),
        ("rules:\n  - name: x\n    call: {campaign: a, schedule: {allowed_time: {monday: []}}}\n", 3, "fri, sat, sun, default"),
        ("rules:\n  - name: x\n    call: {campaign: a, expires: {a: b}}\n", 3, "expires: this is no duration"),
        ("retention: {dedup: 23h}\n", 1, "at least 24h"),
        ("retention: {done: 30}\n", 1, "'30' is no duration"),
        ("retention: {done: 99999999999999d}\n", 1, "too large"),
        ("rules:\n  - name: x\n    where: " + "(" * 5000 + "\n", None, ""),
    ],
)
def test_a_mistake_is_told_in_plain_words_on_its_line(write, text, line, words):
    found = problems(write(text), T="")

    assert any(words in message and (line is None or where == f"config.yaml:{line}") for where, message in found), found


@pytest.mark.parametrize("mode", ["mode: ${M}", "mode: shadow", "mode: live\ncalls_api: {timeout: ${T}}"])
def test_where_a_variable_is_missing_nothing_else_is_said(write, mode):
    path = write(
        f"{mode}\nsources:\n  a: {{kind: '${{K}}', secret: x}}\nrules:\n  - {{name: r, source: '${{S}}', call: {{campaign: '${{C}}'}}}}\n".replace(
            "{timeout: ${T}}", "{timeout: '${T}'}"
        )
    )

    assert all("is not set" in message for _, message in problems(path))


def test_a_value_that_could_not_be_read_is_told_once(write):
    found = problems(write("sources:\n  a:\n    kind: hubspot\n    secret: !x y\n"))

    assert [where for where, _ in found] == ["config.yaml:4"]


def test_a_rule_may_neither_call_nor_cancel_and_a_bare_cancel_is_whole(write):
    config = load(write("rules:\n  - name: nothing\n  - name: all\n    cancel:\n"), {})

    assert config.rules[0].call is config.rules[0].cancel is None
    assert config.rules[1].cancel.campaigns is None


def test_an_insecure_source_needs_no_secret(write):
    config = load(write("sources:\n  a: {kind: hubspot, insecure: '${INSECURE:-true}'}\n"), {})

    assert config.sources["a"].insecure


def test_secrets_may_be_lists_and_an_empty_slot_is_left_out(write):
    config = load(write("sources:\n  a: {kind: hubspot, secret: ['${NEW}', '${OLD:-}']}\n"), {"NEW": "n"})

    assert [secret.get_secret_value() for secret in config.sources["a"].secret] == ["n"]


@pytest.mark.parametrize("digits", ["12345", "0123", "1e5", "1.50", "123456789012345678901234567890", "0x1F", "1_000", "12:30"])
def test_a_secret_made_of_digits_arrives_as_it_is_written(write, digits):
    config = load(write(f"campaigns:\n  a: {{token: {digits}}}\nsources:\n  s: {{kind: hubspot, secret: {digits}}}\n"), {})

    assert config.campaigns["a"].token.get_secret_value() == digits
    assert config.sources["s"].secret[0].get_secret_value() == digits


def test_addresses_lose_their_last_slash_and_numbers_become_e164(write):
    text = (
        "server: {public_url: 'https://b.example.com/x/'}\ncalls_api: {base_url: 'http://localhost:9000/'}\n"
        "allowlist: ['+1 650 000 0000', 16500000001]\n"
    )

    config = load(write(text), {})

    assert config.server.public_url == "https://b.example.com/x"
    assert config.calls_api.base_url == "http://localhost:9000"
    assert config.allowlist == ("+16500000000", "+16500000001")


@pytest.mark.parametrize(("written", "size"), [("1MiB", 1048576), ("512 KiB", 524288), ("2MB", 2000000), ("100", 100), ("64B", 64)])
def test_sizes_are_bytes(write, written, size):
    assert load(write(f"server: {{max_body: {written}}}\n"), {}).server.max_body == size


def test_port_in_the_environment_overrides_the_port_alone(write):
    server = load(write("server: {bind: '192.0.2.1:8000'}\n"), {"PORT": "5000"}).server

    assert (server.bind, server.host, server.port) == ("192.0.2.1:5000", "192.0.2.1", 5000)


def test_an_address_in_brackets_is_a_host(write):
    server = load(write("server: {bind: '[::1]:8000'}\n"), {"PORT": ""}).server

    assert (server.host, server.port) == ("::1", 8000)


@pytest.mark.parametrize("port", ["http", "99999", "-1", "\u0663"])
def test_a_port_that_is_none_is_a_problem_beside_the_others(write, port):
    found = problems(write("mode: x\n"), PORT=port)

    assert [where for where, _ in found] == ["environment", "config.yaml:1"]
    assert port not in found[0][1]


def test_data_dir_is_relative_to_the_file_and_may_be_absolute(write, tmp_path):
    assert load(write("data_dir: ../x\n"), {}).data_dir == tmp_path.parent / "x"
    assert load(write("data_dir: /var/lib/callbridge\n"), {}).data_dir == Path("/var/lib/callbridge")


def test_nothing_can_be_changed_afterwards(write):
    config = load(write(WHOLE), {})

    for model, name in ((config, "mode"), (config.server, "bind"), (config.sources["hubspot"], "secret"), (config.rules[0], "name")):
        with pytest.raises(ValidationError):
            setattr(model, name, "x")


def test_the_file_is_the_one_named_then_the_variables_then_config_yaml():
    environ = {"CALLBRIDGE_CONFIG": "/etc/callbridge.yaml"}

    assert find("mine.yaml", environ) == Path("mine.yaml")
    assert find(None, environ) == Path("/etc/callbridge.yaml")
    assert find(None, {}) == Path("config.yaml")


def test_a_file_that_cannot_be_read_is_a_problem_that_says_what_to_do(tmp_path, write):
    (tmp_path / "latin.yaml").write_bytes(b"mode: \xe9\n")

    assert "copy config.example.yaml" in problems(tmp_path / "none.yaml")[0][1]
    assert "cannot be read" in problems(tmp_path)[0][1]
    assert "UTF-8" in problems(tmp_path / "latin.yaml")[0][1]


def test_a_byte_order_mark_is_no_mistake(write):
    assert load(write("\ufeffmode: shadow\n"), {}).mode == "shadow"


def test_the_error_reads_as_file_line_and_message(write):
    with pytest.raises(ConfigError) as caught:
        load(write("mode: lve\n"), {})

    assert str(caught.value) == "config.yaml:1: 'lve' is none of live, shadow, allowlist; did you mean 'live'?"


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "x", "10s", "5/s", "hubspot", "live", "${A}", "${B:-}", "`", "'", "\ud800", "\0", "9" * 400 + "d"])
    | st.text()
)
KEYS = st.sampled_from(
    re.findall(
        r"\S+",
        """mode allowlist server bind public_url max_body redis url durability data_dir calls_api timeout campaigns token rate_limit
        sources kind secret api_token region fields hmac rules name source on where call campaign payload hours from to days
        schedule allowed_time default cancel scope retention dedup done [key] x""",
    )
)
JARGON = ("Input should", "Field required", "pydantic", "Value error", "' does not fit here", "value-of-a")
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=30)


def spelled(value):
    """Any nested value as YAML in flow style; JSON is a part of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spelled(name)}: {spelled(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spelled(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
    return {None: "null", True: "true", False: "false"}.get(value, str(value)) if value is None or isinstance(value, bool) else str(value)


def loaded(path, **environ):
    try:
        return load(path, environ)
    except ConfigError as error:
        return error


@settings(deadline=None)
@given(st.text())
def test_no_text_raises_anything_but_config_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    assert isinstance(loaded(path), Config | ConfigError)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_no_structure_raises_anything_but_config_error_and_none_is_told_in_jargon(tmp_path_factory, structure):
    path = tmp_path_factory.getbasetemp() / "structure.yaml"
    path.write_text(spelled(structure), encoding="utf-8")

    outcome = loaded(path, A="value-of-a")

    assert isinstance(outcome, Config) or not any(jargon in str(outcome) for jargon in JARGON)
