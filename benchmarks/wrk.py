"""wrk, bounded in time: how many requests a second, and how long they take."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

THREADS, CONNECTIONS = 2, 32
_SCRIPT = Path(__file__).with_name("fire.lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One request, whole."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def line(self) -> str:
        head = "\t".join([self.path, *(f"{name}: {value}" for name, value in self.headers.items())])
        return f"{head}\t\t{self.body.decode()}\n"


@dataclass(frozen=True, slots=True)
class Found:
    """Requests a second; milliseconds."""

    rate: float
    p50: float
    p99: float


def fire(url: str, shots: Iterable[Shot], seconds: float, *, pause: float = 0.0) -> Found:
    """Every request once, for so long. ``pause``: the mean pause of a connection between two, in seconds; as fast as it goes without."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is needed to make the load: apt-get install wrk")
    with NamedTemporaryFile("w", suffix=".txt") as requests:
        requests.writelines(shot.line for shot in shots)
        requests.flush()
        told = {"REQUESTS": requests.name, "THREADS": str(THREADS), "PAUSE": f"{pause * 1000:.3f}"}
        command = [program, f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "10s", "-s", str(_SCRIPT), url]
        said = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, timeout=seconds + 60, check=True).stdout
    found = json.loads(next(line for line in said.splitlines() if line.startswith("FOUND ")).removeprefix("FOUND "))
    if found["bad"]:
        raise SystemExit(f"{found['bad']} of {found['requests']} requests failed:\n{said}")
    return Found(found["requests"] / found["seconds"], found["p50"], found["p99"])
