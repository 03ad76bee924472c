"""The description of the API is whole, and true by construction."""

from collections import Counter

import pytest

from bridge.web.api.models import acts, base, events, forms, problems, replays, things

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def described(anna):
    return anna.get("openapi.json")


def operations(described):
    return [(f"{method.upper()} {path}", each) for path, methods in described["paths"].items() for method, each in methods.items()]


def resolved(described, schema):
    while "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def test_it_is_openapi_3_1_and_nothing_in_it_points_nowhere(described):
    assert described["openapi"].startswith("3.1")
    written = str(described)
    named = {word.partition("'")[0] for word in written.split("#/components/schemas/")[1:]}
    assert named
    assert named <= set(described["components"]["schemas"])


def test_every_route_is_in_it(described, desk):
    there = {
        f"{method} {rule.rule.replace('<path:', '<').replace('<', '{').replace('>', '}')}"
        for rule in desk.app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in rule.methods & METHODS
    }

    assert there == {name for name, _ in operations(described)}


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does(described):
    ids = Counter(each["operationId"] for _, each in operations(described))

    assert {name for name, count in ids.items() if count > 1} == set()
    for name, each in operations(described):
        assert each["summary"], name
        assert len(each["description"]) > 20, name
        assert each["security"] == [{"token": []}], name
        assert {"401", "403", "422", "429", "503"} <= set(each["responses"]), name
        assert set(each["tags"]) <= {tag["name"] for tag in described["tags"]}, name


def test_every_parameter_and_everything_in_a_body_is_described_and_has_an_example(described):
    for name, each in operations(described):
        for parameter in each.get("parameters", []):
            assert parameter["description"], (name, parameter["name"])
            assert "example" in parameter, (name, parameter["name"])
    for name, schema in described["components"]["schemas"].items():
        for field, told in schema.get("properties", {}).items():
            nested = resolved(described, told.get("items", told)).get("type") == "object"
            assert nested or "example" in told, f"{name}.{field}"
            assert told.get("description") or resolved(described, told).get("description"), f"{name}.{field}"


def test_what_goes_in_and_out_holds_nothing_that_is_not_described(described):
    models = {name: schema for name, schema in described["components"]["schemas"].items() if "properties" in schema}
    loose = [name for name, schema in models.items() if schema.get("additionalProperties") is not False]

    assert loose == ["Document"]


def test_no_two_models_have_one_name(described):
    """The document knows models by name alone: of two, one would be described as the other."""
    known = [model for module in (acts, base, events, forms, problems, replays, things) for model in vars(module).values() if isinstance(model, type)]
    names = Counter(f"{model.__name__}" for model in {id(model): model for model in known}.values())

    assert {name for name, count in names.items() if count > 1} == set()


def test_it_is_told_to_operators_alone(desk):
    assert desk.app.test_client().get("/api/v1/openapi.json").status_code == 401


def test_the_library_behind_it_adds_no_route_and_no_work_to_other_requests(desk):
    doors = {rule.rule for rule in desk.app.url_map.iter_rules() if not rule.rule.startswith(("/api/v1/", "/ops/"))}
    everywhere = [step.__module__ for step in desk.app.before_request_funcs.get(None, ())]

    assert {"/webhooks/<source>", "/healthz", "/readyz"} <= doors
    assert [rule for rule in doors if "openapi" in rule or "doc" in rule] == []
    assert [module for module in everywhere if module.startswith(("flask_openapi3", "bridge.web.api"))] == []
