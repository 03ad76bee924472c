"""Subscriptions that a CRM forgets are renewed by one worker, in time, and again when it did not work."""

from datetime import timedelta

import pytest

from bridge.errors import LookupFailed
from bridge.ledger import TokenStore
from bridge.model import HttpRequest
from bridge.sources.base import Subscription
from bridge.sources.pipedrive import Pipedrive, PipedriveSettings
from bridge.wiring import clock
from workers.subscriptions import Subscriptions


class Forgetful(Pipedrive):
    def subscription(self, now):
        del now
        return Subscription(HttpRequest("POST", "https://crm.example/watch"), timedelta(hours=12))


@pytest.fixture
def source():
    return Forgetful("crm", PipedriveSettings(kind="pipedrive", secret="a:b"))


def test_it_is_renewed_once_however_many_workers_look(source, redis):
    asked = []
    workers = [Subscriptions([source], TokenStore(redis), lambda *told: asked.append(told), clock) for _ in range(3)]

    assert [worker.look() for worker in workers] == [1, 0, 0]
    assert len(asked) == 1
    assert 0 < redis.pttl("callbridge:1:subscribed:crm") <= 12 * 3_600_000


def test_one_that_was_not_renewed_is_due_again_in_a_minute(source, redis, caplog):
    def refuse(*_: object) -> None:
        raise LookupFailed("the CRM refused api_token (401)", parked=True)

    assert Subscriptions([source], TokenStore(redis), refuse, clock).look() == 0
    assert 0 < redis.pttl("callbridge:1:subscribed:crm") <= 60_000
    assert "webhooks will stop" in caplog.text


def test_a_crm_that_remembers_is_left_alone(redis):
    asked = []
    source = Pipedrive("crm", PipedriveSettings(kind="pipedrive", secret="a:b"))

    assert Subscriptions([source], TokenStore(redis), lambda *told: asked.append(told), clock).look() == 0
    assert asked == []
