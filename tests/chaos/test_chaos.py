"""The short form of ``make chaos``: a fixed seed, and every promise checked against the platform's own record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_a_short_run_breaks_no_promise(tmp_path):
    if not Path("/proc/self/environ").exists():
        pytest.skip("looks for processes in /proc")
    written = tmp_path / "report.json"
    wanted = ["--seconds", "15", "--seed", "11", "--timeout", "2s", "--longest", "6", "--drain", "120", "--json", str(written)]

    done = subprocess.run([sys.executable, "-m", "chaos", *wanted], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(written.read_text())
    assert told["lost"] == 0
    assert set(told["rings"]) <= {"0", "1"}
    assert told["acknowledged"] > 100
    assert sum(told["faults"].values()) >= 3  # how many fit in depends on how fast the machine is
