"""Words with which a model says what a structural schema needs beyond its Python type. Read by `api.crd`.

They are metadata of `Annotated` (or, for `Rule`, of a model's `RULES`) and change nothing about parsing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

RULES = "x-kubernetes-validations"
NOT_YET = "x-not-yet"  # ours; turned into a rule by `api.crd`, never written out
REQUIRED = "x-required"  # ours; for a field that has a default and is required all the same

VERSION = r"^v?(0|[1-9][0-9]{0,8})[.](0|[1-9][0-9]{0,8})[.](0|[1-9][0-9]{0,8})(-[0-9A-Za-z.-]+)?([+][0-9A-Za-z.-]+)?$"
DNS_SUBDOMAIN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule (`x-kubernetes-validations`): `rule` over `self` (and `oldSelf`), and what to say when it is false.

    `shown` is a CEL expression for the message where that must name values; `message` stands in when it fails.
    """

    rule: str
    message: str
    shown: str = ""
    field: str = ""

    def written(self) -> dict[str, str]:
        """The rule as the CRD spells it."""
        optional = {"messageExpression": self.shown, "fieldPath": self.field}
        return {"rule": self.rule, "message": self.message} | {key: value for key, value in optional.items() if value}

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return with_rules(handler(core_schema), (self,))


@dataclass(frozen=True, slots=True)
class NotYet:
    """The field exists, is stored by nobody and refused: this release does not act on it. `advice` says what instead."""

    advice: str = "remove it"

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core_schema) | {NOT_YET: self.advice}


class Extra:
    """Keys laid over the schema of a field: `Extra(format="byte")`; a dash is written as `_`."""

    def __init__(self, **keys: Any) -> None:
        self.keys = {key.replace("_", "-"): value for key, value in keys.items()}

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core_schema) | self.keys


class Foreign:
    """A type of another API group, kept as it is: an object whose unknown fields are preserved, checked where it is used.

    `required` names the string fields without which we could not handle it; `known` gives schemas of fields that are
    settled. An object of known fields alone can be compared by the API server, which then lets it pass unchanged.
    """

    def __init__(self, description: str, *required: str, known: dict[str, Any] | None = None) -> None:
        self.schema: dict[str, Any] = {
            "type": "object",
            "description": description,
            "x-kubernetes-preserve-unknown-fields": True,
        }
        if required:
            self.schema["required"] = list(required)
        if properties := {name: {"type": "string"} for name in required} | (known or {}):
            self.schema["properties"] = properties

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self.schema)


class AnyJson:
    """Any JSON value."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"x-kubernetes-preserve-unknown-fields": True}


class IntOrString:
    """A number or a name, as Kubernetes writes ports and percentages."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"x-kubernetes-int-or-string": True}


def with_rules(schema: JsonSchemaValue, rules: Iterable[Rule]) -> JsonSchemaValue:
    """The schema with the rules added to those it has."""
    if written := [rule.written() for rule in rules]:
        schema[RULES] = [*schema.get(RULES, ()), *written]
    return schema


def immutable(name: str) -> Rule:
    """The field keeps the value it was first given."""
    return Rule("self == oldSelf", f"{name} cannot be changed once set: make a new object instead")


def one_of(*values: str) -> Extra:
    """An enumeration that parsing does not insist on."""
    return Extra(enum=list(values))


KEYSPACE_NAME = Rule(
    "self.matches('^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$') && self != 'root'",
    "names a part of a shared datastore: letters, digits and . _ - between them, and not root",
)

Int64 = Annotated[int, Extra(format="int64")]
Port = Annotated[int, Field(ge=1, le=65535)]
Bytes = Annotated[str, Extra(format="byte")]
Timestamp = Annotated[str, Extra(format="date-time")]
NumberOrName = Annotated[int | str, IntOrString()]
Json = Annotated[Any, AnyJson()]
SET = Extra(x_kubernetes_list_type="set")
ATOMIC = Extra(x_kubernetes_map_type="atomic")
MAP_BY_TYPE = Extra(x_kubernetes_list_type="map", x_kubernetes_list_map_keys=["type"])
