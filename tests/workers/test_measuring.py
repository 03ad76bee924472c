"""What is measured of real calls: attempts, endings, how long they took."""

from prometheus_client.parser import text_string_to_metric_families
from rq.serializers import JSONSerializer

from bridge.ledger import Issues, Switches, Totals, connect
from bridge.listening import Listening
from bridge.measuring import Measuring
from bridge.metrics import text
from bridge.queue import wake_ups, workers
from bridge.spool import Spool
from workers.runner import BridgeWorker


def measured(b, folder):
    """Every sample, by its name and its labels' values in the order of the labels' names."""
    redis = b.world.ledger.redis
    totals = Totals(redis)
    measuring = Measuring(
        redis=redis,
        totals=totals,
        issues=Issues(redis),
        switches=Switches(redis),
        listening=Listening(totals, dict.fromkeys(b.world.sources)),
        spool=Spool(folder),
        campaigns=("welcome",),
        sources=tuple(b.world.sources),
        asked="unsafe",
    )
    families = text_string_to_metric_families(text(measuring.read(b.clock()), 0).decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_a_call_is_an_attempt_an_ending_and_a_time(bench, tmp_path):
    b = bench()
    b.lead()
    b.work()

    found = measured(b, tmp_path)

    assert found["callbridge_events_finished_total", "welcome", "crm", "done"] == 1
    assert found["callbridge_attempts_total", "made", "welcome", "call"] == 1
    assert found["callbridge_call_seconds_count", "welcome"] == found["callbridge_call_seconds_bucket", "welcome", "30.0"] == 1
    assert found["callbridge_events", "done"] == 1


def test_a_lost_answer_is_an_unknown_event_and_how_old_it_is(bench, tmp_path, platform):
    b = bench()
    platform.fault("reset_after")
    b.lead()
    b.clock.advance(hours=3)
    b.work()
    b.clock.advance(minutes=2)

    found = measured(b, tmp_path)

    assert found["callbridge_attempts_total", "unknown", "welcome", "call"] == 1
    assert found["callbridge_events", "unknown"] == 1
    assert 120 <= found["callbridge_oldest_seconds", "unknown"] < 180


def test_a_worker_that_was_killed_is_not_counted_for_ever(redis_url):
    connection = connect(redis_url, text=False)
    worker = BridgeWorker([wake_ups(connection)], connection=connection, serializer=JSONSerializer)
    worker.register_birth()
    assert workers(connection) == 1

    connection.delete(worker.key)  # what Redis does when it has not been heard of for a while

    assert workers(connection) == 0
    connection.close()
