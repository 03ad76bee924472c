"""The composition root, and what must never be wired: the web process cannot call anybody."""

import json
import subprocess
import sys
from datetime import timedelta

import pytest

from bridge.app import public_url
from bridge.config import Config, load
from bridge.embedded import EmbeddedRedis
from bridge.errors import StartupError
from bridge.model import Rate
from bridge.wiring import build, call_memory, rates, redis_url, require_redis, retention, tokens

CONFIG = """
server: {bind: "127.0.0.1:8123"}
campaigns: {welcome: {token: t-1, rate_limit: 5/s}, later: {token: t-2}}
sources: {zapier: {kind: generic, secret: s, region: DE}}
rules:
  - {name: one, call: {campaign: welcome, cooldown: 12h}}
  - {name: two, call: {campaign: later, cooldown: 2d}}
  - {name: three, cancel: {}}
retention: {dedup: 2d, done: 3d, failed: 4d, ignored: 1h}
"""


@pytest.fixture
def config(tmp_path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return load(path, {})


def test_the_web_process_cannot_import_the_code_that_calls():
    """The application with all it imports at once and on its first request, in an interpreter of its own."""
    program = (
        "import json, sys, bridge.app, bridge.gunicorn_conf;"
        "from bridge.config import Config; from bridge.wiring import build;"
        "client = bridge.app.create_app(build(Config())).test_client();"
        "client.get('/healthz'); client.post('/webhooks/nobody', data=b'{}');"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )

    loaded = json.loads(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)

    assert "bridge" in loaded
    assert not {"requests", "urllib3", "httpx", "aiohttp", "workers"} & set(loaded)


def test_no_connection_is_made_before_it_is_needed(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG + 'redis: {url: "redis://192.0.2.1:6379/0"}\n')

    services = build(load(tmp_path / "config.yaml", {}))

    assert (services.ingest.ledger, services.ingest.sources) == (services.ledger, services.sources)


def test_the_ledger_is_in_the_configured_redis_else_in_the_embedded_one(config, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG + 'redis: {url: "redis://elsewhere/3"}\n')

    assert redis_url(load(tmp_path / "config.yaml", {})) == "redis://elsewhere/3"
    assert redis_url(config) == EmbeddedRedis(config.data_dir).url


def test_a_part_without_any_redis_is_refused_until_the_embedded_one_runs(config):
    with pytest.raises(StartupError, match=r"no embedded Redis is running under .*: start everything with `callbridge run`"):
        require_redis(config)

    with EmbeddedRedis(config.data_dir):
        require_redis(config)


def test_what_the_workers_need_is_read_from_the_configuration(config):
    hour = 3_600_000

    assert rates(config) == {"welcome": Rate(count=5, seconds=1), "later": None}
    assert tokens(config) == {"welcome": "t-1", "later": "t-2"}
    assert call_memory(config) == timedelta(days=2)
    kept = retention(config)
    assert (kept.dedup, kept.done, kept.failed, kept.ignored, kept.longest) == (48 * hour, 72 * hour, 96 * hour, hour, 96 * hour)
    assert build(config).policy.regions == {"zapier": "DE"}


def test_senders_see_the_address_it_listens_on_unless_another_is_configured(config, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("{bind:", "{public_url: https://bridge.example.com/, bind:"))

    assert public_url(build(config)) == "http://127.0.0.1:8123"
    assert public_url(build(load(tmp_path / "config.yaml", {}))) == "https://bridge.example.com"
