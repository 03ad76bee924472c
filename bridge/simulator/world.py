"""Everything one simulator consists of, and where its Flask views find it."""

from dataclasses import dataclass, field
from threading import Event
from typing import cast

from flask import current_app

from bridge.simulator.clock import VirtualClock
from bridge.simulator.faults import Faults
from bridge.simulator.journal import Journal
from bridge.simulator.people import Records
from bridge.simulator.platform import Platform
from bridge.simulator.settings import Settings

EXTENSION = "simulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``stopping`` ends every silence and latency when the server goes down."""

    platform: Platform
    faults: Faults
    initial_settings: Settings
    clock: VirtualClock = field(default_factory=VirtualClock)
    journal: Journal = field(default_factory=Journal)
    records: Records = field(default_factory=Records)
    stopping: Event = field(default_factory=Event)

    def reset(self) -> None:
        """As it was started: no calls, no requests, real time, its first settings and faults."""
        self.platform.settings = self.initial_settings
        self.platform.forget()
        self.journal.forget()
        self.faults.reset()
        self.clock.reset()
        self.records.forget()


def world() -> World:
    """The simulator behind the current request."""
    return cast("World", current_app.extensions[EXTENSION])
