"""The only module on this side that knows RQ: the queue's name, the wake-up, how one is put.

An RQ job says only "there is work due". It carries no event, so one that is lost, doubled or late costs nothing:
the due set is the truth, and the dispatcher puts another.
"""

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from bridge.errors import LedgerUnavailable

NAME = "callbridge"
WAKE_UP = "workers.tasks.deliver_due"
_LONGEST = 600
"""Seconds. A wake-up ends by itself after some seconds of claiming; this only ends one that hangs."""
_KEPT = 60
"""Seconds a finished wake-up stays visible in ``rq info``. Never 0: RQ 3.0 then fails jobs that it took over."""


def wake_ups(redis: Redis) -> Queue:
    """The queue of wake-ups. One queue per worker: RQ loses jobs popped from one of several."""
    return Queue(NAME, connection=redis, serializer=JSONSerializer)


def workers(redis: Redis) -> int:
    """How many worker processes have been heard of within RQ's own patience: those that were killed are listed until another one looks."""
    listed = Worker.all_keys(queue=wake_ups(redis))
    return int(str(redis.exists(*listed))) if listed else 0


def put_wake_ups(queue: Queue, wanted: int) -> int:
    """Have as many wake-ups queued as are wanted, and no more; how many were put. ``LedgerUnavailable`` when Redis is away."""
    try:
        missing = max(0, wanted - queue.count)
        for _ in range(missing):
            queue.enqueue(WAKE_UP, job_timeout=_LONGEST, result_ttl=_KEPT, failure_ttl=_KEPT, description="deliver what is due")
    except RedisError as error:
        raise LedgerUnavailable(f"Redis did not take a wake-up: {type(error).__name__}") from error
    return missing
