"""The composition root: a configuration becomes the objects that share the work. Nothing is built anywhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis import Redis

from bridge.config import Config
from bridge.deciding import Policy
from bridge.embedded import is_running, url
from bridge.errors import StartupError
from bridge.explaining import Explainer
from bridge.finding import Finder
from bridge.ingest import Ingest
from bridge.ledger import (
    Asks,
    Audit,
    DoNotCallList,
    Issues,
    Ledger,
    Plans,
    Refusals,
    Retention,
    Search,
    Sessions,
    StopMarks,
    Switches,
    Throttle,
    Totals,
    connect,
)
from bridge.listening import Listening
from bridge.measuring import Measuring
from bridge.model import Rate
from bridge.operating import Operating
from bridge.operators import Operators
from bridge.ordering import Ordering
from bridge.overseeing import Overseer
from bridge.planning import Planning
from bridge.replaying import Replaying
from bridge.sources import kinds
from bridge.sources.base import Source
from bridge.spool import Spool
from bridge.stepping import Stepping
from bridge.timeline import Timelines


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the doors (web, command line) call. The workers build on it: :func:`workers.runner.build_world`."""

    config: Config
    redis: Redis
    ledger: Ledger
    policy: Policy
    sources: Mapping[str, Source]
    ingest: Ingest
    ordering: Ordering
    spool: Spool
    search: Search
    totals: Totals
    switches: Switches
    issues: Issues
    audit: Audit
    asks: Asks
    refusals: Refusals
    finder: Finder
    explainer: Explainer
    timelines: Timelines
    operating: Operating
    overseer: Overseer
    measuring: Measuring
    planning: Planning
    stepping: Stepping
    operators: Operators
    sessions: Sessions
    throttle: Throttle
    clock: Callable[[], datetime]


def build(config: Config, redis_timeout: float = 2.0) -> Services:
    """Everything the bridge needs. No connection is made here."""
    redis = connect(redis_url(config), redis_timeout)
    ledger = Ledger(redis, retention(config), call_memory(config))
    adapters, policy = sources(config), policy_of(config)
    spool = Spool(config.data_dir / "spool")
    ingest = Ingest(sources=adapters, policy=policy, ledger=ledger, clock=clock, spool=spool)
    ordering = Ordering(ledger=ledger, list=DoNotCallList(redis), clock=clock)
    search = Search(redis)
    finder, plans = Finder(ledger, search, policy.regions), Plans(redis, ledger.retention)
    operating = Operating(
        replaying=Replaying(ingest, config.calls_api.crm_params.value),
        ordering=ordering,
        switches=Switches(redis),
        issues=Issues(redis),
        audit=Audit(redis, ledger.retention),
        asks=Asks(redis),
        campaigns=tuple(config.campaigns),
        sources=tuple(config.sources),
        clock=clock,
    )
    measured = measuring(config, redis, spool)
    return Services(
        config=config,
        redis=redis,
        ledger=ledger,
        policy=policy,
        sources=adapters,
        ingest=ingest,
        ordering=ordering,
        spool=spool,
        search=search,
        finder=finder,
        explainer=Explainer(policy=policy, base_url=config.calls_api.base_url, crm_params=config.calls_api.crm_params.value, ledger=ledger),
        timelines=Timelines(
            ledger=ledger, search=search, audit=operating.audit, list=ordering.list, marks=StopMarks(redis), rules=policy.rules, clock=clock
        ),
        operating=operating,
        planning=Planning(plans=plans, finder=finder, audit=operating.audit, digest=policy.digest, clock=clock),
        stepping=Stepping(plans=plans, finder=finder, replaying=operating.replaying, clock=clock),
        measuring=measured,
        overseer=Overseer(ledger, measured),
        totals=measured.totals,
        switches=operating.switches,
        issues=operating.issues,
        audit=operating.audit,
        asks=operating.asks,
        refusals=Refusals(redis),
        operators=operators(config),
        sessions=Sessions(redis),
        throttle=Throttle(redis),
        clock=clock,
    )


def measuring(config: Config, redis: Redis, spool: Spool) -> Measuring:
    """What metrics and alerts are made of."""
    totals = Totals(redis)
    return Measuring(
        redis=redis,
        totals=totals,
        issues=Issues(redis),
        switches=Switches(redis),
        listening=Listening(totals, {name: source.silence for name, source in config.sources.items()}),
        spool=spool,
        campaigns=tuple(config.campaigns),
        sources=tuple(config.sources),
        asked=config.redis.durability.value,
    )


def sources(config: Config) -> dict[str, Source]:
    """The adapter of each configured source."""
    return {name: kinds()[settings.kind](name, settings) for name, settings in config.sources.items()}


def operators(config: Config) -> Operators:
    """Who may use /ops and /api."""
    server = config.server
    shared = server.ops_token.get_secret_value() if server.ops_token else None
    return Operators(shared, {name: token.get_secret_value() for name, token in server.operators.items()})


def clock() -> datetime:
    return datetime.now(UTC)


def redis_url(config: Config) -> str:
    """Where the ledger is: the configured Redis, else the one embedded under ``data_dir``."""
    return config.redis.url or url(config.data_dir)


def require_redis(config: Config) -> None:
    """``StartupError`` when no Redis is configured and none is embedded and running: a web or worker process alone starts none."""
    if config.redis.url is None and not is_running(config.data_dir):
        raise StartupError(
            f"no redis.url is configured and no embedded Redis is running under {config.data_dir}: "
            "start everything with `callbridge run`, or set redis.url (REDIS_URL in the example configuration)"
        )


def policy_of(config: Config) -> Policy:
    return Policy(
        rules=config.rules,
        mode=config.mode.value,
        allowlist=frozenset(config.allowlist),
        regions={name: source.region for name, source in config.sources.items()},
    )


def rates(config: Config) -> dict[str, Rate | None]:
    return {name: campaign.rate_limit for name, campaign in config.campaigns.items()}


def tokens(config: Config) -> dict[str, str]:
    return {name: campaign.token.get_secret_value() for name, campaign in config.campaigns.items()}


def retention(config: Config) -> Retention:
    kept = config.retention
    return Retention(*(int(span.total_seconds() * 1000) for span in (kept.dedup, kept.done, kept.failed, kept.ignored)))


def call_memory(config: Config) -> timedelta:
    """How long the ledger must know when a number was called: the longest cooldown of any rule."""
    return max((rule.call.cooldown for rule in config.rules if rule.call and rule.call.cooldown), default=timedelta(0))
