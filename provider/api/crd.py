"""CustomResourceDefinitions out of the models: structural OpenAPI v3 schemas, defaults, CEL rules, columns, scale, labels.

Pure. Called by the command line (`capi-kamaji crds`) and by the test that holds `config/crd/` to the models.
The schema is pydantic's own JSON schema, brought into the subset that the API server takes:
references are put in place, `null` alternatives and titles go, empty defaults go, `NotYet` fields become rules.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

import yaml

from provider.api.definition import Column, Definition, Older
from provider.api.meta import Resource
from provider.api.schema import NOT_YET, REQUIRED, RULES, Rule, with_rules

Schema = dict[str, Any]
OPAQUE = "x-kubernetes-preserve-unknown-fields"
HEADER = "# Made from the models by `capi-kamaji crds`; edit those, not this file.\n"


def files(kinds: Iterable[type[Resource]]) -> dict[str, str]:
    """File name → YAML text, one a kind."""
    return {
        f"{each.DEFINITION.name}.yaml": HEADER + yaml.safe_dump(manifest(each), sort_keys=False, width=120)
        for each in kinds
    }


def manifest(model: type[Resource]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    definition = model.DEFINITION
    kind = definition.kind
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.name} | ({"labels": definition.labels} if definition.labels else {}),
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": _names(definition),
            "versions": [*(_older(model, each) for each in definition.older), _version(model)],
        }
        | ({"conversion": {"strategy": "None"}} if definition.older else {}),
    }


def schema(model: type[Resource]) -> Schema:
    """The structural schema of a kind."""
    raw = model.model_json_schema(by_alias=True)
    inlined = _Structural(described(raw.pop("$defs", {}))).convert(raw, "")
    properties = inlined["properties"] | {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    if model.DEFINITION.status:
        properties["status"].pop("default", None)  # ours for reading; what was never written is absent
    else:
        properties.pop("status", None)
    return inlined | {"properties": dict(sorted(properties.items()))}


@cache
def descriptions() -> dict[str, dict[str, str]]:
    """By model and field: what is said in `descriptions.toml` of fields of which their models say nothing."""
    return tomllib.loads(resources.files("provider.api").joinpath("descriptions.toml").read_text())


def described(models: dict[str, Schema]) -> dict[str, Schema]:
    """The models of a JSON schema with these words put in. Of an object of another API group its type goes before them."""
    for name, fields in descriptions().items():
        properties = models.get(name, {}).get("properties", {})
        for field in fields.keys() & properties.keys():
            node = properties[field]
            if node.get(OPAQUE):
                node["description"] = f"{node.get('description', 'any JSON')}: {fields[field]}"
            else:
                node.setdefault("description", fields[field])
    return models


def _names(definition: Definition) -> dict[str, Any]:
    names: dict[str, Any] = {
        "kind": definition.kind.kind,
        "listKind": f"{definition.kind.kind}List",
        "plural": definition.kind.plural,
        "singular": definition.kind.kind.lower(),
    }
    optional = {"shortNames": list(definition.short_names), "categories": list(definition.categories)}
    return names | {key: value for key, value in optional.items() if value}


def _version(model: type[Resource]) -> dict[str, Any]:
    definition = model.DEFINITION
    version: dict[str, Any] = {
        "name": definition.kind.api_version.rpartition("/")[2],
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(each) for each in definition.columns],
        "schema": {"openAPIV3Schema": schema(model)},
    }
    subresources: dict[str, Any] = {"status": {}} if definition.status else {}
    if scale := definition.scale:
        subresources["scale"] = {
            "specReplicasPath": scale.spec,
            "statusReplicasPath": scale.status,
            "labelSelectorPath": scale.selector,
        }
    return version | ({"subresources": subresources} if subresources else {})


def _older(model: type[Resource], older: Older) -> dict[str, Any]:
    """Another name for the same: what one version can say the other can, so the API server changes the version and no more."""
    said = {"name": older.name, "storage": False, "additionalPrinterColumns": [_column(each) for each in older.columns]}
    deprecated = {"deprecated": True, "deprecationWarning": older.warning} if older.warning else {}
    return {**_version(model), **said, **deprecated}


def _column(column: Column) -> dict[str, Any]:
    written: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return written | ({"priority": column.priority} if column.priority else {})


class _Structural:
    """Walks one kind's JSON schema; `path` is where we are, for messages (`spec.addons`)."""

    def __init__(self, shared: dict[str, Schema]) -> None:
        self.shared = shared

    def convert(self, node: Schema, path: str) -> Schema:
        node = self._flat(node)
        node.pop("title", None)
        if "const" in node:
            node["enum"] = [node.pop("const")]
        if "default" in node:
            node |= _defaulted(node, _without_empty(node.pop("default")), path)
        if node.get("type") == "integer":
            node.setdefault("format", "int32")
        if "properties" in node:
            node = self._object(node, path)
        if "items" in node:
            node["items"] = self.convert(node["items"], f"{path}[]")
        if node.get("additionalProperties") is True:
            raise ValueError(f"{path}: a free-form object is not structural; declare it Foreign")
        if isinstance(node.get("additionalProperties"), dict):
            node["additionalProperties"] = self.convert(node["additionalProperties"], f"{path}.*")
        return dict(sorted(node.items()))

    def _object(self, node: Schema, path: str) -> Schema:
        """The object with its fields converted.

        A field not acted on carries a rule that is never true. It stands at the field and not at its parent, so that the API
        server lets an unchanged one pass (ratcheting): an object made before the rule can still be reported on and deleted.
        """
        required, properties = set(node.get("required", ())), {}
        for name, each in sorted(node["properties"].items()):
            at = f"{path}.{name}".lstrip(".")
            field = properties[name] = self.convert(each, at)
            if advice := field.pop(NOT_YET, None):
                with_rules(field, [Rule("false", f"{at} is not acted on by this release: {advice}")])
            if field.pop(REQUIRED, False):
                required.add(name)
        node = node | {"properties": properties}
        return node | ({"required": sorted(required)} if required else {})

    def _flat(self, node: Schema) -> Schema:
        """The node with its reference and its one alternative to null put in place; outer keys win, rules add up."""
        node = dict(node)
        if "$ref" in node:
            return self._flat(_over(self.shared[node.pop("$ref").rpartition("/")[2]], node))
        if "anyOf" in node:
            choices = [each for each in node.pop("anyOf") if each.get("type") != "null"]
            if len(choices) != 1:
                raise ValueError(f"alternatives are not structural: {choices}")
            return self._flat(_over(choices[0], node))
        return node


def _over(inner: Schema, outer: Schema) -> Schema:
    rules = [*inner.get(RULES, ()), *outer.get(RULES, ())]
    merged = inner | outer | ({RULES: rules} if rules else {})
    if inner.get(OPAQUE) and outer.get("description"):
        merged["description"] = f"{inner['description']}: {outer['description']}"
    return merged


def _defaulted(node: Schema, default: Any, path: str) -> Schema:
    """What a default says in the schema. Of a block that may be empty and is by default: that it may be null.

    Server-side apply makes null of a block whose last field it takes away, and the API server would refuse its own doing.
    """
    if default == {}:
        return {"nullable": True} if path.startswith("spec.") and "minProperties" not in node else {}
    return {} if default in (None, []) else {"default": default}


def _without_empty(value: Any) -> Any:
    """A default without the fields that say nothing."""
    if isinstance(value, dict):
        cleaned = {key: _without_empty(each) for key, each in value.items()}
        return {key: each for key, each in sorted(cleaned.items()) if each is not None and each not in ({}, [])}
    return [_without_empty(each) for each in value] if isinstance(value, list | tuple) else value
