"""``alerts``: what a receiver may be, and what is said of one that may not."""

import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config import load, warnings
from bridge.config.schema import Concern
from bridge.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def alerts(tmp_path):
    """The receivers of a configuration."""

    def read(written, **environ):
        (tmp_path / "config.yaml").write_text(f"alerts:\n{textwrap.indent(written, '  ')}\n", encoding="utf-8")
        return load(tmp_path / "config.yaml", environ).alerts

    return read


def refused(alerts, written, **environ):
    with pytest.raises(ConfigError) as caught:
        alerts(written, **environ)
    return [(problem.where, problem.message) for problem in caught.value.problems]


def test_a_receiver_is_told_everything_but_heartbeats_unless_it_says_more(alerts):
    (receiver,) = alerts(f"- {{url: 'https://hooks.example.com/x', secret: {SECRET}}}")

    assert set(receiver.on) == set(Concern) - {Concern.HEARTBEAT}
    assert (receiver.host, receiver.repeat, receiver.after.unknown) == ("hooks.example.com", timedelta(hours=4), timedelta(minutes=15))


def test_the_example_is_right_as_it_stands_there(tmp_path):
    section = EXAMPLE.read_text(encoding="utf-8").partition("\n# alerts:\n")[2]
    (tmp_path / "config.yaml").write_text("alerts:\n" + "".join(line.removeprefix("# ") + "\n" for line in section.splitlines()), encoding="utf-8")

    (receiver,) = load(tmp_path / "config.yaml", {"ALERTS_URL": "https://hooks.example.com/x", "ALERTS_SECRET": SECRET}).alerts

    default = type(receiver)(url="https://hooks.example.com/x", secret=SECRET)
    assert receiver == default


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:1/x", "https://hooks.example.com:8443/x?y=z"])
def test_an_address_may_be(alerts, url):
    assert alerts(f"- {{url: '{url}', format: slack}}")


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/x", "ftp://hooks.example.com", "hooks.example.com", "https:///x", "http://10.0.0.1/", "https://a b/"]
)
def test_an_address_may_not_be_and_is_not_quoted(alerts, url):
    ((where, message),) = refused(alerts, "- {url: '${URL}', format: slack}", URL=url)

    assert where == "config.yaml:2"
    assert url not in message


@pytest.mark.parametrize(
    "secret", ["hunter2-Zx9", "whsec_", "whsec_c2hvcnQ=", "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=", "whsec_not base64 at all!"]
)
def test_a_secret_is_whsec_and_long_enough_and_not_quoted(alerts, secret):
    ((_, message),) = refused(alerts, "- {url: 'https://hooks.example.com/x', secret: '${S}'}", S=secret)

    assert "whsec_ and the base64 of at least 24 bytes" in message or "does not fit" in message
    assert secret not in message.replace("whsec_ and", "") or secret == "whsec_"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("- {url: 'https://a.example/x'}", "needs `secret`"),
        (f"- {{url: 'https://a.example/x', format: slack, secret: {SECRET}}}", "signs nothing"),
        ("- {url: 'https://a.example/x', format: slack, on: [isue]}", "did you mean 'issue'?"),
        ("- {url: 'https://a.example/x', format: slack, on: []}", "must not be empty"),
        ("- {url: 'https://a.example/x', format: slack, after: {unknwn: 5m}}", "unknown key 'unknwn'; did you mean 'unknown'?"),
        ("- {url: 'https://a.example/x', format: slack, repeat: 0s}", "must be longer than nothing"),
        ("- {url: 'https://a.example/x', format: slack}\n- {url: 'https://a.example/x', format: slack}", "has this address too"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(alerts, written, says):
    found = refused(alerts, written)

    assert len(found) == 1
    assert says in found[0][1]


def test_links_need_an_address_of_ones_own(tmp_path):
    (tmp_path / "config.yaml").write_text("alerts: [{url: 'https://a.example/x', format: slack}]")

    assert [line for line in warnings(load(tmp_path / "config.yaml", {})) if "alerts have no link" in line]
