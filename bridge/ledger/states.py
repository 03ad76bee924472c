"""The state machine of an event, as a table."""

from bridge.model import Status

ACCEPTED_AS = frozenset({Status.QUEUED, Status.FAILED, Status.IGNORED})
"""What an event can be from the moment it is accepted."""

RECORDED_AS = frozenset(Status) - {Status.QUEUED, Status.RUNNING}
"""What an attempt can leave an event as; only a claim makes it running, only acceptance or a replay queued."""

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.WAITING}),
    Status.WAITING: frozenset({Status.RUNNING, Status.WAITING}),
    Status.UNKNOWN: frozenset({Status.RUNNING}),
    Status.PARKED: frozenset({Status.RUNNING}),
    # A lease that ran out is taken over: running again, under another owner.
    Status.RUNNING: RECORDED_AS | {Status.RUNNING},
    # Finished is finished; a replay is a new decision and starts from the delivery.
    Status.DONE: frozenset(),
    Status.SUPPRESSED: frozenset(),
    Status.FAILED: frozenset(),
    Status.IGNORED: frozenset(),
}
