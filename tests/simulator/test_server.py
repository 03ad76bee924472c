"""The server: many at once, connections kept alive, an end in good order."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from bridge.errors import StartupError
from bridge.simulator import Fault, create_simulator, running_simulator, serve

SERVE = "from bridge.simulator import serve; serve('127.0.0.1', 0, ready=lambda url: print(url, flush=True))"


def test_a_connection_is_kept_alive(sim):
    connection = http.client.HTTPConnection(sim.url.removeprefix("http://"), timeout=10)
    sockets = set()

    for number in range(3):
        connection.request("POST", "/api/crmCalls/campaign/bad/addPhone", f"phone={number}", {"Content-Type": "application/x-www-form-urlencoded"})
        connection.getresponse().read()
        sockets.add(connection.sock)

    connection.close()
    assert len(sockets) == 1
    assert None not in sockets


def test_a_body_in_chunks_is_read(sim):
    answer = sim.campaign("addPhones", data=iter([b'[{"phone": ', b'"12025550123"}]']))

    assert answer.status_code == 200


def test_200_slow_requests_are_served_at_once():
    with running_simulator(faults=[Fault(fault="latency", seconds=1)]) as simulator, ThreadPoolExecutor(200) as pool:
        began = time.monotonic()

        statuses = list(pool.map(lambda _: requests.get(f"{simulator.url}/api/calls/campaign/welcome/status", timeout=30).status_code, range(200)))

        assert statuses == [200] * 200
        assert time.monotonic() - began < 10


def test_a_simulator_that_stops_ends_its_silences():
    began = time.monotonic()

    with running_simulator(faults=[Fault(fault="hang")]) as simulator:
        address = simulator.url.removeprefix("http://").split(":")
        client = socket.create_connection((address[0], int(address[1])))
        client.sendall(b"GET /api/calls/campaign/welcome/status HTTP/1.1\r\nHost: x\r\n\r\n")
        while not requests.get(f"{simulator.url}/simulator/requests", timeout=10).json()["requests"]:
            time.sleep(0.01)

    assert client.recv(1) == b""
    client.close()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_good_order(number):
    process = subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        url = process.stdout.readline().strip()
        status = requests.get(f"{url}/api/calls/campaign/welcome/status", timeout=10).status_code
        process.send_signal(number)
        process.wait(10)
        said = process.stderr.read()

    assert (status, process.returncode) == (200, 0)
    assert said == ""


def test_a_port_that_is_taken_is_said_in_words():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(StartupError, match=f"cannot listen on 127.0.0.1:{port}"):
            serve("127.0.0.1", port)


def test_the_application_runs_under_any_wsgi_server():
    client = create_simulator(faults=[Fault(fault="reset_before", times=1)]).test_client()

    with pytest.raises(ConnectionResetError):
        client.get("/api/calls/campaign/welcome/status")

    assert client.get("/api/calls/campaign/welcome/status").get_json() == "new"
