"""``callbridge alerts test``: a message to each receiver, and what came back."""

from threading import Thread

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver():
    """Where it listens, what it got, and the status it answers with."""
    got, status = [], [200]

    @Request.application
    def application(request):
        got.append((request.headers, request.get_json()))
        return Response("thank you", status[0])

    server = make_server("127.0.0.1", 0, application)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook/of-its-own", got, status
    server.shutdown()
    thread.join()
    server.server_close()


def configure(folder, *alerts):
    written = "".join(f"\n  - {alert}" for alert in alerts)
    folder.write("config.yaml", f"server: {{public_url: 'https://bridge.example.com'}}\nalerts:{written}\n")


def test_each_receiver_is_sent_one_in_its_own_form(folder, receiver):
    url, got, _ = receiver
    configure(folder, f"{{url: '{url}', secret: {SECRET}}}", f"{{url: '{url}/chat', format: slack}}")

    told = folder.run("alerts", "test")

    assert (told.code, told.out) == (0, "127.0.0.1: taken, it answered 200\n" * 2)
    assert [document.get("type", "text") for _, document in got] == ["test", "text"]
    assert got[0][0]["webhook-signature"].startswith("v1,")
    assert "of-its-own" not in told.out


def test_what_did_not_take_it_is_said_and_is_the_exit_code(folder, receiver):
    url, _, status = receiver
    status[0] = 404
    configure(folder, f"{{url: '{url}', format: slack}}", "{url: 'http://127.0.0.1:9/gone', format: slack}")

    told = folder.run("alerts", "test", "--json")

    assert told.code == 1
    assert [(each["taken"], each["status"], each["told"]) for each in told.document] == [
        (False, 404, "it answered 404"),
        (False, None, "it could not be reached"),
    ]


def test_one_of_them_can_be_chosen(folder, receiver):
    url, got, _ = receiver
    configure(folder, f"{{url: '{url}', format: slack}}", f"{{url: '{url}/chat', format: slack}}")

    assert folder.run("alerts", "test", "--url", "/chat").code == 0
    assert len(got) == 1


@pytest.mark.parametrize("words", [(), ("--url", "elsewhere")])
def test_without_a_receiver_nothing_matches(folder, words):
    configure(folder, *(["{url: 'http://127.0.0.1:9/', format: slack}"] if words else []))

    told = folder.run("alerts", "test", *words)

    assert told.code == 3
    assert "No receiver of alerts" in told.err
