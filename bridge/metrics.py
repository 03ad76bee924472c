"""What Prometheus is told: every metric with its unit, its labels and what it means, in one table. Pure.

Counters come from the ledger, so they are the same whichever web process is asked, and survive its restart. Labels take values that the
configuration and the code have, never what a sender says.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from bridge import __version__
from bridge.durability import Level
from bridge.errors import Refusal
from bridge.ledger import Stuck
from bridge.ledger.issues import State
from bridge.ledger.switches import EVERYTHING
from bridge.ledger.totals import TOOK
from bridge.measuring import Measures
from bridge.model import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Row = tuple[tuple[str, ...], float]
"""The values of a metric's labels, and its own."""


@dataclass(frozen=True, slots=True)
class Metric:
    """``rows`` says what it is at a reading; counters have names that end in ``_total``."""

    name: str
    told: str
    labels: tuple[str, ...]
    rows: Callable[[Measures], Iterable[Row]] = field(default=lambda _: ())

    def family(self, rows: Iterable[Row]) -> Family:
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        family = kind(self.name, self.told, labels=self.labels)
        for labels, value in rows:
            family.add_metric(labels, value)
        return family


UP = Metric("callbridge_up", "1 when the ledger could be read for this answer, 0 when Redis did not answer.", ())
BUILD = Metric("callbridge_build_info", "The version that answers; always 1.", ("version",))
SPOOLED = Metric(
    "callbridge_spooled_deliveries",
    "Deliveries on the disk of the host that answers, which wait until Redis takes them in.",
    (),
)
CALL_SECONDS = "callbridge_call_seconds"
_CALL_SECONDS_TOLD = "Seconds from accepting an event to the call job that came of it."


def _counted(what: str) -> Callable[[Measures], Iterator[Row]]:
    """Of the totals called ``<what>|<label>|…``."""

    def rows(measures: Measures) -> Iterator[Row]:
        for name, value in measures.snapshot.totals.items():
            first, *labels = name.split("|")
            if first == what:
                yield tuple(labels), value

    return rows


def _by_source(what: str) -> Callable[[Measures], Iterator[Row]]:
    """The same by source; a configured one is there from the start, so that its first event is seen as one more than none."""
    counted = _counted(what)

    def rows(measures: Measures) -> Iterator[Row]:
        found: dict[tuple[str, ...], float] = {(source,): 0 for source in measures.sources}
        yield from (found | dict(counted(measures))).items()

    return rows


def _refused(measures: Measures) -> Iterator[Row]:
    for source, counts in measures.refused.items():
        yield from (((source, reason), counts.get(reason, 0)) for reason in Refusal)


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0


def _oldest(measures: Measures) -> Iterator[Row]:
    standing = measures.standing
    yield (Status.WAITING.value,), _age(standing.waiting_since, measures.at)
    yield (Status.UNKNOWN.value,), _age(_first(standing.unknown), measures.at)
    yield (Status.PARKED.value,), _age(_first(standing.parked), measures.at)


def _first(stuck: Sequence[Stuck]) -> datetime | None:
    return min((each.since for each in stuck), default=None)


def _paused(measures: Measures) -> Iterator[Row]:
    scopes = [EVERYTHING, *(f"campaign:{name}" for name in measures.campaigns), *(f"source:{name}" for name in measures.sources)]
    for scope in dict.fromkeys((*scopes, *measures.pauses)):
        yield ("everything" if scope == EVERYTHING else scope,), scope in measures.pauses


METRICS: tuple[Metric, ...] = (
    Metric("callbridge_events_accepted_total", "Events taken in, without those that were there already.", ("source",), _by_source("accepted")),
    Metric("callbridge_duplicates_total", "Events that were sent again and turned away.", ("source",), _by_source("duplicates")),
    Metric(
        "callbridge_events_finished_total",
        "Events that were finished; one that is replayed is finished again.",
        ("source", "campaign", "status"),
        _counted("finished"),
    ),
    Metric(
        "callbridge_attempts_total",
        "Requests to the Calls API and to CRMs; the target is the campaign, or the source where there is none yet.",
        ("target", "what", "outcome"),
        _counted("attempts"),
    ),
    Metric("callbridge_refused_requests_total", "Webhooks that did not prove where they come from.", ("source", "reason"), _refused),
    Metric(
        "callbridge_events",
        "Events in the ledger now.",
        ("status",),
        lambda measures: [((status,), count) for status, count in measures.snapshot.statuses.items()],
    ),
    Metric("callbridge_due_events", "Events that a worker should be looking at now.", (), lambda measures: [((), measures.standing.due)]),
    Metric(
        "callbridge_past_due_seconds",
        "How long the first of the due events has been due; 0 when none is.",
        (),
        lambda measures: [((), _age(measures.standing.due_since, measures.at))],
    ),
    Metric(
        "callbridge_oldest_seconds",
        "Age of the oldest event of a status: since its first unanswered request where it is unknown, else since it was accepted.",
        ("status",),
        _oldest,
    ),
    Metric(
        "callbridge_last_delivery_timestamp_seconds",
        "When a source last delivered something authentic.",
        ("source",),
        lambda measures: [((source,), at.timestamp()) for source, at in measures.heard.items()],
    ),
    Metric(
        "callbridge_source_silent",
        "1 while a source has been silent for longer than its limit, configured or learned.",
        ("source",),
        lambda measures: [((source,), source in {silence.source for silence in measures.silences}) for source in measures.sources],
    ),
    Metric("callbridge_paused", "1 while somebody has paused everything, the campaign or the source.", ("scope",), _paused),
    Metric(
        "callbridge_campaign_left_alone",
        "1 while calls of a campaign wait because the platform does not answer for it.",
        ("campaign",),
        lambda measures: [((campaign,), campaign in measures.standing.left_alone) for campaign in measures.campaigns],
    ),
    Metric(
        "callbridge_issues",
        "Failures of one kind, by whether somebody has looked at them; the 500 seen last.",
        ("state",),
        lambda measures: [((state.value,), measures.issue_states.get(state, 0)) for state in State],
    ),
    Metric("callbridge_workers", "Worker processes that were heard of in the last minute or so.", (), lambda measures: [((), measures.workers)]),
    Metric(
        "callbridge_redis_durability",
        "1 for what Redis promises about an answered delivery.",
        ("level",),
        lambda measures: [((level.value,), level.value == measures.level) for level in Level],
    ),
    Metric(
        "callbridge_redis_weaker_than_asked",
        "1 while Redis is known to promise less than redis.durability asks for.",
        (),
        lambda measures: [((), measures.weaker)],
    ),
)
"""What is known only when Redis answers, but for the histogram."""

LABELS: Mapping[str, tuple[str, ...]] = {
    **{metric.name: metric.labels for metric in (UP, BUILD, SPOOLED, *METRICS)},
    CALL_SECONDS: ("campaign",),
}
"""Every metric there is, and its labels."""


def text(measures: Measures | None, spooled: int) -> bytes:
    """The answer to a scrape; without ``measures`` (Redis is away) what is known all the same."""
    return generate_latest(_registry(_families(measures, spooled)))


def _families(measures: Measures | None, spooled: int) -> Iterator[Family]:
    yield UP.family([((), measures is not None)])
    yield BUILD.family([((__version__,), 1)])
    yield SPOOLED.family([((), spooled)])
    if measures:
        yield from (metric.family(metric.rows(measures)) for metric in METRICS)
        yield _call_seconds(measures)


def _call_seconds(measures: Measures) -> Family:
    """The ledger counts each call once, under the shortest time that holds it; Prometheus wants each under every longer one too."""
    family = HistogramMetricFamily(CALL_SECONDS, _CALL_SECONDS_TOLD, labels=("campaign",))
    totals = measures.snapshot.totals
    for campaign in dict.fromkeys((*measures.campaigns, *(name.partition("|")[2] for name in totals if name.startswith("took_ms|")))):
        counts = accumulate(totals.get(f"took|{campaign}|{under}", 0) for under in TOOK)
        buckets = [("+Inf" if under == "more" else str(float(under)), count) for under, count in zip(TOOK, counts, strict=True)]
        family.add_metric((campaign,), buckets, totals.get(f"took_ms|{campaign}", 0) / 1000)
    return family


class _Once(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _registry(families: Iterable[Family]) -> CollectorRegistry:
    """A registry of this scrape alone: nothing is kept between two."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(families))
    return registry
