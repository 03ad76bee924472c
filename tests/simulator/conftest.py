"""One simulator for all tests of it, as new before each of them."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from bridge.simulator import running_simulator

CAMPAIGN = "welcome"


class Client:
    """Speaks HTTP to the simulator, over connections that are kept alive."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self.url = url
        self.session = session

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=10, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return self.session.post(self.url + path, timeout=10, **more)

    def delete(self, path: str) -> requests.Response:
        return self.session.delete(self.url + path, timeout=10)

    def add(self, phone: str = "12025550123", key: str | None = None, token: str = CAMPAIGN, **payload: str) -> requests.Response:
        return self.post(f"/api/crmCalls/campaign/{token}/addPhone", data={"phone": phone, **payload}, headers=self.key(key))

    def add_many(self, *numbers: dict[str, Any], key: str | None = None, token: str = CAMPAIGN) -> requests.Response:
        return self.post(f"/api/calls/campaign/{token}/addPhones", json=list(numbers), headers=self.key(key))

    def campaign(self, path: str, token: str = CAMPAIGN, **more: Any) -> requests.Response:
        return self.post(f"/api/calls/campaign/{token}/{path}", **more)

    def move(self, job: str, status: str, **more: Any) -> requests.Response:
        return self.post(f"/simulator/jobs/{job}", json={"status": status, **more})

    def advance(self, duration: str) -> None:
        assert self.post("/simulator/clock", json={"advance": duration}).status_code == 200

    def set(self, **settings: Any) -> None:
        assert self.post("/simulator/settings", json=settings).status_code == 200

    def fault(self, fault: str, **more: Any) -> None:
        assert self.post("/simulator/faults", json={"fault": fault, **more}).status_code == 200

    def calls(self) -> list[dict[str, Any]]:
        return self.get("/simulator/calls").json()["calls"]

    def log(self) -> list[dict[str, Any]]:
        return self.get("/simulator/requests").json()["requests"]

    @staticmethod
    def key(key: str | None) -> dict[str, str]:
        return {"Idempotence-Key": key} if key else {}


@pytest.fixture(scope="session")
def session() -> Iterator[Client]:
    with running_simulator() as simulator, requests.Session() as connections:
        yield Client(simulator.url, connections)


@pytest.fixture
def sim(session: Client) -> Client:
    session.post("/simulator/reset")
    return session
