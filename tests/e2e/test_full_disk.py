"""The disk under the embedded Redis is full: nothing that was answered 2xx is lost, and nothing has to be restarted when there is room again."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def small_disk(new_bridge) -> Iterator[tuple[object, Path]]:
    """A bridge whose data are on a disk of three megabytes."""
    bridge = new_bridge()
    data = bridge.folder / "data"
    data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(data)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield bridge, data
    bridge.end()
    subprocess.run(["umount", "--lazy", str(data)], check=False)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_it_answers_503_while_it_is_full_and_goes_on_by_itself_when_there_is_room(small_disk, platform, until, lead):
    bridge, data = small_disk
    running = bridge.start()
    bridge.up()
    accepted, answers = set(), Counter()
    padding = "x" * 20_000

    for number in range(400):
        try:
            status, _ = bridge.deliver(lead(number, fields={"note": padding}))
        except OSError:
            status = 0
        answers[status] += 1
        if status == 202:
            accepted.add(f"zapier:lead-{number}")
        if answers[503] + answers[0] >= 5:
            break
    assert answers[503] > 0, answers
    assert running.poll() is None

    subprocess.run(["mount", "-o", "remount,size=100m", str(data)], check=True)
    until(lambda: bridge.get("/readyz") == 200, 60)
    status, _ = bridge.deliver(lead(500))
    accepted.add("zapier:lead-500")
    until(lambda: not bridge.unfinished(), 90, every=0.5)

    assert (status, running.poll()) == (202, None)
    called = Counter(call["idempotence_key"] for call in platform.calls())
    assert accepted <= called.keys()
    assert set(called.values()) == {1}
