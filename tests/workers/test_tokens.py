"""Tokens that expire: renewed once for all workers, kept sealed, never spent twice."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier, Lock

import pytest

from bridge.errors import LookupFailed
from bridge.ledger import TokenStore
from bridge.model import HttpRequest, HttpResponse
from bridge.sources.oauth import ACCESS_TOKEN, OAuthSettings, OAuthSource
from workers.answers import TransportFailure
from workers.tokens import Tokens

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
KEYS = {"client_id": "id", "client_secret": "client-secret", "refresh_token": "refresh-0"}


class Toy(OAuthSource):
    kind = "toy"
    title = "Toy CRM"

    def verify(self, delivery, now):
        raise NotImplementedError

    def parse(self, delivery):
        raise NotImplementedError

    def sign(self, body, url, now):
        raise NotImplementedError

    def renewal(self, refresh_token):
        return HttpRequest("POST", "https://crm.example/token", {}, refresh_token)


class Crm:
    """Gives a new pair for each refresh token, once: the old one is forgotten."""

    def __init__(self) -> None:
        self.renewals = 0
        self._good = "refresh-0"
        self._lock = Lock()

    def send(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        with self._lock:
            if request.body != self._good:
                return HttpResponse(400, {}, '{"error": "invalid_grant"}')
            self.renewals += 1
            self._good = f"refresh-{self.renewals}"
            return HttpResponse(200, {}, json.dumps({"access_token": f"access-{self.renewals}", "refresh_token": self._good, "expires_in": 3600}))


def toy(**changes: str) -> Toy:
    return Toy("toy", OAuthSettings(kind="toy", **{**KEYS, **changes}))


@pytest.fixture
def crm() -> Crm:
    return Crm()


@pytest.fixture
def keeper(redis, crm) -> Iterator[Callable[..., Tokens]]:
    """The tokens as one worker process sees them, at a time of its own."""
    return lambda now=NOW: Tokens(TokenStore(redis), crm.send, lambda: now)


def test_one_renewal_serves_every_worker_until_it_expires(keeper, crm):
    assert [keeper().current(toy()) for _ in range(3)] == ["access-1"] * 3
    assert keeper(NOW + timedelta(minutes=57)).current(toy()) == "access-1"
    assert keeper(NOW + timedelta(minutes=59)).current(toy()) == "access-2"
    assert crm.renewals == 2


def test_many_that_find_it_expired_renew_it_once(keeper, crm):
    together = Barrier(8)

    def ask(_: int) -> str:
        together.wait()
        return keeper().current(toy())

    with ThreadPoolExecutor(8) as workers:
        assert set(workers.map(ask, range(8))) == {"access-1"}

    assert crm.renewals == 1


def test_a_token_that_the_crm_takes_no_more_is_replaced_once(keeper, crm):
    rejected = keeper().current(toy())

    assert [keeper().another(toy(), rejected) for _ in range(2)] == ["access-2", "access-2"]
    assert crm.renewals == 2


def test_what_is_kept_is_sealed(keeper, redis):
    keeper().current(toy())

    kept = redis.get("callbridge:1:tokens:toy")

    assert "access" not in kept
    assert "refresh" not in kept


def test_an_integration_that_was_authorised_again_starts_from_its_new_token(keeper):
    keeper().current(toy())

    with pytest.raises(LookupFailed) as refused:
        keeper().current(toy(refresh_token="refresh-of-another"))

    assert refused.value.parked
    assert "authorise the integration again" in refused.value.message


def test_a_changed_client_secret_reads_nothing_of_before(keeper, crm):
    keeper().current(toy())

    with pytest.raises(LookupFailed):
        keeper().current(toy(client_secret="another"))  # the CRM has forgotten refresh-0

    assert crm.renewals == 1


def test_a_crm_that_is_not_there_is_asked_again_later(redis):
    tokens = Tokens(TokenStore(redis), lambda _: TransportFailure.UNREACHABLE, lambda: NOW)

    with pytest.raises(LookupFailed) as failed:
        tokens.current(toy())

    assert not failed.value.parked
    assert redis.keys("callbridge:1:renewing:*") == []


def test_half_an_integration_is_refused():
    with pytest.raises(ValueError, match="go together"):
        OAuthSettings(kind="toy", client_id="id")


def test_a_long_lived_token_is_used_as_it_is():
    assert Toy("toy", OAuthSettings(kind="toy", api_token="long")).api_token == "long"
    assert toy().api_token == ACCESS_TOKEN


def test_what_redis_did_not_take_is_kept_until_it_does(redis, crm):
    def send_while_redis_fills(request: HttpRequest) -> HttpResponse | TransportFailure:
        redis.config_set("maxmemory", "1")
        return crm.send(request)

    renewing = Tokens(TokenStore(redis), send_while_redis_fills, lambda: NOW)

    assert renewing.current(toy()) == "access-1"
    assert redis.get("callbridge:1:tokens:toy") is None
    redis.config_set("maxmemory", "0")
    assert renewing.current(toy()) == "access-1"

    assert Tokens(TokenStore(redis), crm.send, lambda: NOW).current(toy()) == "access-1"
    assert crm.renewals == 1
