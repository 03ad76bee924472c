"""``check --online``: every token of a configuration, tried with a harmless read."""

from collections.abc import Iterator
from dataclasses import dataclass

from bridge import wiring
from bridge.config import Config
from bridge.embedded import is_running
from bridge.errors import LedgerUnavailable, LookupFailed
from bridge.ledger import TokenStore, connect
from bridge.sources.base import Source
from workers.answers import Answer
from workers.calls_api import CallsApi
from workers.crm_api import CrmApi


@dataclass(frozen=True, slots=True)
class Tried:
    """One token, and what its owner says to it."""

    what: str
    good: bool
    told: str


def try_tokens(config: Config) -> Iterator[Tried]:
    """Campaigns at the platform, then sources with an ``api_token`` at their CRMs. Changes nothing anywhere."""
    calls_api = CallsApi(config.calls_api.base_url, config.calls_api.timeout, wiring.tokens(config), pool_size=1)
    for campaign in config.campaigns:
        yield _campaign(calls_api, campaign)
    crm_api = CrmApi(config.calls_api.timeout, pool_size=1, store=_store(config))
    for source in wiring.sources(config).values():
        yield from _source(crm_api, source)


def _store(config: Config) -> TokenStore | None:
    """Where a running bridge keeps tokens that expire: to renew one apart from it would spend what it renews by."""
    if config.redis.url is None and not is_running(config.data_dir):
        return None
    return TokenStore(connect(wiring.redis_url(config)))


def _campaign(calls_api: CallsApi, campaign: str) -> Tried:
    status = calls_api.status(campaign)
    if isinstance(status, Answer):
        return Tried(f"campaign {campaign}", good=False, told=status.note)
    return Tried(f"campaign {campaign}", good=True, told=f"its status is {status}")


def _source(crm_api: CrmApi, source: Source) -> Iterator[Tried]:
    request = source.probe()
    if request is None:
        return
    try:
        crm_api.probe(source, request)
    except LookupFailed as failed:
        yield Tried(f"source {source.name}", good=False, told=failed.message)
    except LedgerUnavailable as away:
        yield Tried(f"source {source.name}", good=False, told=f"its token is kept in the ledger, and {away}")
    else:
        yield Tried(f"source {source.name}", good=True, told=f"{source.title} takes its api_token")
