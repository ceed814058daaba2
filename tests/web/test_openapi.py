"""The description of the interface: well-formed, complete, and saying what the schemas really accept."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import gateway
from gateway.web.api.openapi import describe
from schemas.referral import REFERRAL
from tests.gateway_world import World, a_referral_body
from tests.web.callers import a_referral, get, post

TYPES = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def nodes(value: Any) -> Iterator[Any]:
    yield value
    for inside in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from nodes(inside)


def resolved(shape: dict[str, Any]) -> dict[str, Any]:
    """The shape a reference names."""
    reference = shape.get("$ref")
    if reference is None:
        return shape
    found: Any = describe()
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def faults(value: Any, shape: dict[str, Any], pointer: str = "") -> list[str]:
    """Where a value is not what the shape says: as much of JSON Schema as the description uses."""
    shape = resolved(shape)
    if "type" in shape and not TYPES[shape["type"]](value):
        return [f"{pointer}: not {shape['type']}"]
    found = []
    if "enum" in shape and value not in shape["enum"]:
        found.append(f"{pointer}: enum")
    if isinstance(value, str):
        if "pattern" in shape and not re.search(shape["pattern"], value):
            found.append(f"{pointer}: pattern")
        if not shape.get("minLength", 0) <= len(value) <= shape.get("maxLength", len(value)):
            found.append(f"{pointer}: length")
    if isinstance(value, int) and not shape.get("minimum", value) <= value <= shape.get("maximum", value):
        found.append(f"{pointer}: range")
    if isinstance(value, dict):
        known = shape.get("properties", {})
        found += [f"{pointer}/{name}: required" for name in shape.get("required", []) if name not in value]
        if shape.get("additionalProperties") is False:
            found += [f"{pointer}/{name}: unknown" for name in value if name not in known]
        for name, inner in known.items():
            found += faults(value[name], inner, f"{pointer}/{name}") if name in value else []
    if isinstance(value, list):
        for at, one in enumerate(value):
            found += faults(one, shape.get("items", {}), f"{pointer}/{at}")
    return found


def test_it_is_openapi_3_1_of_this_version(client: FlaskClient) -> None:
    found = client.get("/v1/openapi.json").get_json()
    assert (found["openapi"], found["info"]["version"]) == ("3.1.0", gateway.__version__)
    assert {"title", "version", "description"} <= set(found["info"])


def test_it_is_json_and_the_same_each_time(client: FlaskClient) -> None:
    first = client.get("/v1/openapi.json").data
    assert json.loads(first) == json.loads(json.dumps(describe()))
    assert client.get("/v1/openapi.json").data == first


def test_every_reference_leads_somewhere() -> None:
    references = [node["$ref"] for node in nodes(describe()) if isinstance(node, dict) and "$ref" in node]
    assert references
    assert [reference for reference in references if not resolved({"$ref": reference})] == []


def test_every_pattern_is_one() -> None:
    patterns = [node["pattern"] for node in nodes(describe()) if isinstance(node, dict) and "pattern" in node]
    assert [pattern for pattern in patterns if isinstance(pattern, str) and not re.compile(pattern)] == []


def test_every_operation_has_a_summary_answers_and_says_how_it_is_proven(site: Flask) -> None:
    for path, operations in describe()["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert operation["responses"], path
            assert "security" in operation, (path, method)
            assert set(re.findall(r"{(\w+)}", path)) == {
                parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"
            }


def test_every_enumeration_names_each_code_once() -> None:
    enumerations = [node["enum"] for node in nodes(describe()) if isinstance(node, dict) and "enum" in node]
    assert [codes for codes in enumerations if isinstance(codes, list) and len(set(codes)) != len(codes)] == []


def test_every_field_of_a_shape_has_a_type() -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in describe()["components"]["schemas"].items()
        for field, shape in schema.get("properties", {}).items()
        if not ({"type", "$ref", "enum", "allOf", "anyOf"} & set(shape)) and field not in ("data", "mapping")
    ]
    assert bare == []


def test_an_honest_referral_is_what_the_description_says() -> None:
    assert faults(a_referral_body(), describe()["components"]["schemas"]["Referral"]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"decision": "MAYBE"},
        {"decided_amount_fen": -1},
        {"decided_amount_fen": "20"},
        {"case_number": ""},
        {"referral_id": "r 1"},
        {"notes": "x"},
        {"needs": "MLG"},
        {"person": {"name": "测试甲", "id_type": "999"}},
        {"recipient_region": "52"},
    ],
    ids=str,
)
def test_what_the_schema_refuses_the_description_refuses_too(changes: dict[str, Any]) -> None:
    body = a_referral_body(**changes)
    assert REFERRAL.validate(body)
    assert faults(body, describe()["components"]["schemas"]["Referral"])


def test_each_required_field_of_a_referral_is_described_as_required() -> None:
    schema = describe()["components"]["schemas"]["Referral"]
    required = {name for name, field in REFERRAL.fields.items() if field.required}
    assert set(schema["required"]) == required
    assert set(schema["properties"]) == set(REFERRAL.fields)


def test_the_answers_are_the_described_ones(world: World, client: FlaskClient) -> None:
    raw = a_referral(world)
    described = describe()["paths"]["/v1/messages"]["post"]
    for response in (post(client, raw), post(client, raw)):
        assert response.mimetype in described["responses"][str(response.status_code)]["content"]
    assert set(described["requestBody"]["content"]) == {"application/jose"}
    refused = post(client, b"x")
    assert faults(json.loads(refused.data), describe()["components"]["schemas"]["Problem"]) == []
    for path in ("/v1/balance", "/v1/inbox"):
        answer = get(client, world, world.court, path)
        assert answer.mimetype in describe()["paths"][path]["get"]["responses"]["200"]["content"]
