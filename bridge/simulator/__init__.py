"""The Calls API simulator: the platform's paths, ids, states and refusals, and its worst days on demand.

For the demo, for staging, and for tests: it calls nobody, remembers what would have rung, and shows it under
``/simulator``. Stand-ins for two CRM APIs are beside it under ``/hubspot`` and ``/pipedrive``.
"""

from bridge.simulator.application import create_simulator
from bridge.simulator.faults import Fault, Kind
from bridge.simulator.server import RunningSimulator, running_simulator, serve
from bridge.simulator.settings import Settings

__all__ = ["Fault", "Kind", "RunningSimulator", "Settings", "create_simulator", "running_simulator", "serve"]
