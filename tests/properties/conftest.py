"""How many interleavings: some by default, ``CALLBRIDGE_EXAMPLES=3000`` (``make properties``) for the long form, which takes others each time."""

import os
from collections.abc import Iterator

import pytest

from bridge.simulator import running_simulator


@pytest.fixture(scope="session")
def examples() -> int:
    return int(os.environ.get("CALLBRIDGE_EXAMPLES", "60"))


@pytest.fixture(scope="session")
def simulator_url() -> Iterator[str]:
    with running_simulator() as running:
        yield running.url
