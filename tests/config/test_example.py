"""config.example.yaml is the manual: it loads, has every key, and says true defaults."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from bridge.config import Config, load, warnings
from bridge.sources import kinds

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
VARIABLES = sorted(set(re.findall(r"^[^#\n]*\$\{([A-Z_]+)", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)))


def models(annotation: Any) -> set[type[BaseModel]]:
    """Every model that an annotation leads to."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}.union(*(models(field.annotation) for field in annotation.model_fields.values()))
    return set().union(*(models(argument) for argument in get_args(annotation)))


def keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


ALL_KEYS = {
    (model.__name__, key)
    for start in (Config, *(adapter.settings_type for adapter in kinds().values()))
    for model in models(start)
    for key in keys(model)
}


def test_the_example_loads_on_a_bare_machine():
    config = load(EXAMPLE, {})

    assert config.mode == "live"
    assert config.server.ops_token is config.redis.url is config.server.public_url is None
    assert any("still the example's" in line for line in warnings(config))


def test_the_example_loads_with_every_variable_it_names():
    values = {
        "PUBLIC_URL": "https://bridge.example.com",
        "REDIS_URL": "redis://localhost",
        "CALLS_API_URL": "http://localhost:1",
        "CALLBRIDGE_MODE": "shadow",
        "CLOSE_SIGNATURE_KEY": "0f" * 32,
    }
    environ = {
        name: values.get(
            name, "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0:y" if name == "PIPEDRIVE_SECRET" else "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
        )
        for name in VARIABLES
    }

    config = load(EXAMPLE, environ)

    assert config.mode == "shadow"
    assert not any("still the example's" in line for line in warnings(config))


@pytest.mark.parametrize(("model", "key"), sorted(ALL_KEYS))
def test_every_key_there_is_stands_in_the_example(model, key):
    assert re.search(rf"(^|[\s{{,]){re.escape(key)}:( |$)", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE), f"{key} of {model}"


def test_every_kind_there_is_stands_in_the_example():
    assert {source.kind for source in load(EXAMPLE, {}).sources.values()} == set(kinds())


def test_what_the_example_gives_as_defaults_are_the_defaults():
    example, default = load(EXAMPLE, {}), Config()

    assert (example.server, example.redis, example.calls_api, example.retention) == (
        default.server,
        default.redis,
        default.calls_api,
        default.retention,
    )


def test_every_key_of_our_own_sections_is_described():
    own = [model for model in models(Config) if model.__module__ == "bridge.config.schema"]

    assert [f"{model.__name__}.{name}" for model in own for name, field in model.model_fields.items() if not field.description] == []
