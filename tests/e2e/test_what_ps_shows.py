"""What other users of the machine see of the processes: their command lines, and nothing secret in them."""

import os
from pathlib import Path

import pytest
from redis import Redis

SECRETS = {
    "ZAPIER_SECRET": "zapier-secret-in-the-environment",
    "WELCOME_TOKEN": "campaign-token-in-the-environment",
    "OPS_TOKEN": "operators-token-in-the-environment",
    "REDIS_PASSWORD": "password-of-redis",
}
IN_FILE = "another-secret-in-the-configuration"


def command_lines(pids) -> str:
    return "\n".join(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in pids)


def configure(made) -> None:
    text = made.config.read_text()
    text = text.replace("secret: zapier-secret", f'secret: ["${{ZAPIER_SECRET}}", {IN_FILE}, zapier-secret]')
    made.config.write_text(text.replace("token: welcome", 'token: "${WELCOME_TOKEN}"'))


def test_no_secret_is_on_a_command_line_of_any_process(new_bridge, start_redis, monkeypatch, until, lead):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    url = start_redis(appendonly="yes", appendfsync="always")
    with Redis.from_url(url) as client:
        client.config_set("requirepass", SECRETS["REDIS_PASSWORD"])
    embedded, external = new_bridge(), new_bridge(redis=url.replace("unix://", '"unix://:${REDIS_PASSWORD}@') + '"')

    for made in (embedded, external):
        configure(made)
        made.start()
        made.up()
        made.deliver(lead(1))

    pids = embedded.pids() | external.pids()
    shown = command_lines(pids)
    assert len(pids) > 12, shown
    assert all(word in shown for word in ("bridge run", "gunicorn", "bridge worker", "spawn_main", "valkey-server"))
    assert [secret for secret in (*SECRETS.values(), IN_FILE) if secret in shown] == []


@pytest.mark.long
def test_the_environment_of_a_process_is_for_its_own_user_alone(bridge):
    """There the secrets are that the configuration takes from it; `ps e` shows it to this user and to root."""
    for pid in bridge().pids():
        environ = Path(f"/proc/{pid}/environ").stat()
        assert environ.st_mode & 0o077 == 0
        assert environ.st_uid == os.getuid()
