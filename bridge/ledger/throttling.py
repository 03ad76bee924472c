"""How many wrong tokens are borne, from one address and from all together: counted in Redis, so over every web process.

The windows move, and are measured by the clocks of the web processes.
"""

import time
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from math import ceil

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import Redis

from bridge.errors import TooManyTries
from bridge.ledger import layout
from bridge.ledger.store import available

FROM_ONE = RateLimitItemPerMinute(10, 15, namespace="address")
FROM_ALL = RateLimitItemPerMinute(300, 15, namespace="all")
"""Higher than any office full of forgetful people, and far too low to guess by many addresses at once."""


class Throttle:
    """Raises ``LedgerUnavailable`` when Redis does not take it: who cannot count tries lets nobody try."""

    def __init__(self, redis: Redis) -> None:
        storage = RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix=layout.THROTTLE)
        self._window = MovingWindowRateLimiter(storage)

    def require_room(self, address: str) -> None:
        """``TooManyTries`` when this address, or the whole world, has to wait before a token is looked at."""
        with available():
            waits = [self._wait(item, *whose) for item, whose in _limits(address)]
        if longest := max(waits):
            raise TooManyTries(timedelta(seconds=longest))

    def count(self, address: str) -> None:
        """One wrong token more."""
        with available():
            for item, whose in _limits(address):
                self._window.hit(item, *whose)

    def _wait(self, item: RateLimitItem, *whose: str) -> int:
        stats = self._window.get_window_stats(item, *whose)
        return 0 if stats.remaining > 0 else max(1, ceil(stats.reset_time - time.time()))


def neighbourhood(address: str) -> str:
    """What counts as one address. Whoever has one IPv6 address has the 2⁶⁴ beside it too."""
    try:
        known: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(known, IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ip_network((known, 64), strict=False).network_address)


def _limits(address: str) -> list[tuple[RateLimitItem, tuple[str, ...]]]:
    return [(FROM_ONE, (neighbourhood(address),)), (FROM_ALL, ())]
