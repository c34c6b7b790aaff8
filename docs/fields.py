"""docs/fields.md: every field of the spec of each kind, out of the models, with the tests that fail when it is ignored.

A field is what a user can set by itself: a leaf of the schema, or an add-on's block, whose presence alone says something. Tests
say of themselves what they prove: `@pytest.mark.fields(kind, path, …)`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from docs import evidence
from docs.evidence import Proof
from provider.api import crd
from provider.api.autoscaler import TenantAutoscaler
from provider.api.backup import TenantBackup, TenantBackupSchedule, TenantRestore
from provider.api.datastore import DataStore
from provider.api.datastorepool import DataStorePool
from provider.api.kubeconfiggenerator import KubeconfigGenerator
from provider.api.meta import Resource
from provider.api.schema import RULES
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.capi.model import KamajiControlPlane

Schema = dict[str, Any]

KINDS: dict[str, type[Resource]] = {
    each.__name__: each
    for each in (
        *(TenantControlPlane, DataStore, KubeconfigGenerator, DataStorePool),
        *(TenantBackup, TenantBackupSchedule, TenantRestore, TenantAutoscaler),
        KamajiControlPlane,
    )
}
SWITCHES = ("spec.addons.coreDNS", "spec.addons.kubeProxy", "spec.addons.konnectivity")
"""Blocks of which `{}` is a wish."""
HEAD = """# Fields

Made from the models and from the markers at the tests by `make generate`; edit those. Every field of the `spec` of each
kind, what it is by default, and the tests that fail when it is ignored (by number: the list is below each table). Blocks are
in italics, and so are types. What a field of a TenantControlPlane changes, place by place, is told in
[effects.yaml](../tests/unit/provider/hosting/effects.yaml).

A KamajiControlPlaneTemplate has the fields of a KamajiControlPlane but for `version`, `replicas`, `controlPlaneEndpoint`,
`rollout` and `machineTemplate`, under `spec.template.spec`; Cluster API copies them into KamajiControlPlanes.
"""


@dataclass(frozen=True)
class Field:
    """A place in a spec. `settable`: a user can say something by it alone."""

    path: str
    schema: Schema
    required: bool
    settable: bool
    fixed: bool = False  # a rule of the whole object keeps it as it was


def page() -> str:
    """The whole file."""
    return "\n".join([HEAD, *(_section(kind) for kind in KINDS)]) + "\n"


@cache
def of(kind: str) -> tuple[Field, ...]:
    """Fields of a kind, in the order of the schema."""
    schema = crd.schema(KINDS[kind])
    spec = schema["properties"]["spec"]
    rules = [rule["message"] for node in (schema, spec) for rule in node.get(RULES, ())]
    return tuple(_walk("spec", spec, required=False, rules=rules))


def settable(kind: str) -> frozenset[str]:
    """Paths of the fields that need a test."""
    return frozenset(each.path for each in of(kind) if each.settable)


def written(kind: str, path: str, value: Any) -> Iterator[str]:
    """Which fields a value says that is written to a path: the path itself, or those of a list's elements."""
    if path in settable(kind):
        yield path
    elif isinstance(value, list):
        yield from (found for each in value for found in written(kind, f"{path}[]", each))
    elif isinstance(value, dict):
        yield from (found for key, each in value.items() for found in written(kind, f"{path}.{key}", each))


def proven() -> dict[tuple[str, str], tuple[Proof, ...]]:
    """(kind, path) → tests."""
    found: dict[tuple[str, str], set[Proof]] = {}
    for (kind, *paths), proofs in evidence.proofs("fields").items():
        for path in paths:
            found.setdefault((kind, path), set()).update(proofs)
    return {key: tuple(sorted(each)) for key, each in found.items()}


def _walk(path: str, node: Schema, *, required: bool, rules: list[str]) -> Iterator[Field]:
    inside = node.get("properties") if not node.get(crd.OPAQUE) and not _refused(node) else None
    items = node.get("items", {})
    if items.get("properties") and not items.get(crd.OPAQUE):
        yield Field(path, node, required, settable=False)
        yield from _inside(f"{path}[]", items, rules)
    elif inside:
        yield Field(path, node, required, settable=path in SWITCHES)
        yield from _inside(path, node, rules)
    else:
        fixed = any(each.startswith(f"{path.removeprefix('spec.')} cannot be changed") for each in rules)
        yield Field(path, node, required, settable=True, fixed=fixed)


def _refused(node: Schema) -> bool:
    """Whatever is written there."""
    return any(rule["rule"] == "false" for rule in node.get(RULES, ()))


def _inside(path: str, node: Schema, rules: list[str]) -> Iterator[Field]:
    for name, each in node["properties"].items():
        yield from _walk(f"{path}.{name}", each, required=name in node.get("required", ()), rules=rules)


def _section(kind: str) -> str:
    proofs = {path: each for (of_kind, path), each in proven().items() if of_kind == kind}
    numbers = {each: number for number, each in enumerate(sorted(set().union(*proofs.values())), 1)}
    rows = [_row(each, [numbers[proof] for proof in proofs.get(each.path, ())]) for each in of(kind)[1:]]
    return "\n".join(
        [
            f"\n## {kind}\n\n`{KINDS[kind].DEFINITION.kind.api_version}`\n",
            "| field | type, default, what it is for | tests |",
            "|---|---|---|",
            *rows,
            f"\nTests of {kind}:\n",
            *(f"{number}. {evidence.listed([proof], '')}" for proof, number in numbers.items()),
        ]
    )


def _row(field: Field, tests: Iterable[int]) -> str:
    name = f"`{field.path}`" if field.settable else f"*`{field.path}`*"
    default = field.schema.get("default")
    shown = "" if default is None or not field.settable else f", by default `{_short(default)}`"
    about = " ".join(each for each in (f"*{_type(field.schema)}*{shown}.", _about(field)) if each)
    return f"| {name} | {about} | {', '.join(map(str, tests))} |"


def _short(default: Any) -> str:
    text = default if isinstance(default, str) else json.dumps(default)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _type(node: Schema) -> str:
    if node.get(crd.OPAQUE):
        return str(node.get("description", "any JSON")).partition(": ")[0]
    if node.get("x-kubernetes-int-or-string"):
        return "number or name"
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}"
    if isinstance(node.get("additionalProperties"), dict):
        return f"map of {_type(node['additionalProperties'])}"
    return "block" if "properties" in node else str(node["type"])


def _about(field: Field) -> str:
    """What it is for, and how it may be set."""
    rules = field.schema.get(RULES, ())
    notes = [
        "Required." if field.required else "",
        "Cannot be changed." if field.fixed or any(each["rule"] == "self == oldSelf" for each in rules) else "",
        "Refused: this release does not act on it." if _refused(field.schema) else "",
    ]
    if "enum" in field.schema and len(field.schema["enum"]) < 8:
        notes.append(f"One of {', '.join(map(str, field.schema['enum']))}.")
    return " ".join(each for each in (said(field), *notes) if each).replace("|", "\\|")


def said(field: Field) -> str:
    """What it is for. Of an object of another API group its type stands before it."""
    words = str(field.schema.get("description", ""))
    return " ".join((words.partition(": ")[2] if field.schema.get(crd.OPAQUE) else words).split())
