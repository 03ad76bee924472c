"""What the workers are compared with: RQ as it comes, and ``requests`` as it comes.

python -m benchmarks.stock pool REDIS_URL 8     RQ's WorkerPool on the queue ``stock``, each job one POST
python -m benchmarks.stock loop URL 5           one POST after the other for so many seconds; prints how many a second
"""

import sys
import time

import requests
from redis import Redis
from rq import Queue, SimpleWorker
from rq.worker_pool import WorkerPool

_session = requests.Session()


def post(url: str, number: int) -> None:
    """The job: what the product sends for one event, and nothing is remembered of the answer."""
    headers = {"Idempotence-Key": f"stock:{number}", "Content-Type": "application/x-www-form-urlencoded"}
    _session.post(url, data=f"phone=1281{2000000 + number}&name=Alex%20K{number}", headers=headers, timeout=20)


def queue(redis: Redis) -> Queue:
    return Queue("stock", connection=redis)


def fill(redis: Redis, url: str, wanted: int) -> None:
    """So many jobs that post to ``url``."""
    jobs = queue(redis)
    for start in range(0, wanted, 500):
        some = range(start, min(start + 500, wanted))
        jobs.enqueue_many([Queue.prepare_data(post, args=(url, number), timeout=60, result_ttl=60) for number in some])


def main() -> None:
    what, where, much = sys.argv[1:]
    if what == "pool":
        WorkerPool([queue(Redis.from_url(where))], connection=Redis.from_url(where), num_workers=int(much), worker_class=SimpleWorker).start()
        return
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < float(much):
        post(where, done)
        done += 1
    sys.stdout.write(f"{done / (time.perf_counter() - began)}\n")


if __name__ == "__main__":
    main()
