"""``callbridge check --online``: every token is tried with a read, and nothing is changed."""

import requests

from bridge.simulator import running_simulator

CONFIG = """
calls_api: {{base_url: "{base}"}}
campaigns:
  welcome: {{token: welcome-token}}
  follow-up: {{token: {token}}}
sources:
  hubspot: {{kind: hubspot, secret: s, api_token: a, api_base: "{base}/hubspot"}}
  pipedrive: {{kind: pipedrive, secret: "u:p", api_token: "{api_token}", api_base: "{base}/pipedrive"}}
  zapier: {{kind: generic, secret: s}}
"""


def test_good_tokens_are_said_to_be_good_and_nobody_is_called(folder):
    with running_simulator() as simulator:
        folder.write("config.yaml", CONFIG.format(base=simulator.url, token="other-token", api_token="a"))

        told = folder.run("check", "--online")
        calls = requests.get(f"{simulator.url}/simulator/calls", timeout=5).json()["calls"]

    assert told.code == 0
    assert [line.partition(",")[0] for line in told.out.splitlines()[1:]] == [
        "campaign welcome: good",
        "campaign follow-up: good",
        "source hubspot: good",
        "source pipedrive: good",
    ]
    assert calls == []


def test_a_refused_token_is_named_and_the_exit_code_says_so(folder):
    with running_simulator() as simulator:
        folder.write("config.yaml", CONFIG.format(base=simulator.url, token="bad-token", api_token="a"))
        requests.post(f"{simulator.url}/simulator/faults", json={"fault": "5xx", "endpoint": "/pipedrive/*"}, timeout=5)

        told = folder.run("check", "--online", "--json")

    assert told.code == 1
    assert told.document["ok"] is False
    assert {one["what"]: one["good"] for one in told.document["tokens"]} == {
        "campaign welcome": True,
        "campaign follow-up": False,
        "source hubspot": True,
        "source pipedrive": False,
    }
    assert "bad-token" not in told.out


def test_a_host_that_is_not_there_is_a_reason_and_not_a_crash(folder, free_port):
    folder.write("config.yaml", CONFIG.format(base=f"http://127.0.0.1:{free_port}", token="t", api_token=""))

    told = folder.run("check", "--online")

    assert told.code == 1
    assert "campaign welcome: NOT GOOD, the platform could not be reached" in told.out
    assert "source hubspot: NOT GOOD, HubSpot could not be reached" in told.out
    assert "pipedrive" not in told.out
