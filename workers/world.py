"""What a worker works with, built once per process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.calls import CrmParams
from bridge.deciding import Policy
from bridge.ledger import Ledger
from bridge.model import Rate
from bridge.sources.base import Source
from workers.calls_api import CallsApi
from workers.crm_api import CrmApi


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Collaborators and settings of one worker process. ``worker`` names it in leases and attempts."""

    ledger: Ledger
    policy: Policy
    sources: Mapping[str, Source]
    calls_api: CallsApi
    crm_api: CrmApi
    rates: Mapping[str, Rate | None]
    crm_params: CrmParams
    clock: Callable[[], datetime]
    worker: str
    lease: timedelta
    concurrency: int
