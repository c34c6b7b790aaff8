"""A block that a user fills and then empties by server-side apply, which makes it null: let in, and read as absent."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from provider.api import crd, served
from provider.api.meta import Resource
from provider.capi import model
from provider.cluster.client import Cluster
from provider.manifest import Manifest
from tests.integration.test_crds import CONTROL_PLANE, TEMPLATE, TENANT, changed

COUNTER = itertools.count(1)
KINDS: dict[str, type[Resource]] = {each.__name__: each for each in (*served.KINDS, *model.KINDS)}
METADATA = {"labels": {"a": "b"}}
FLAGS = {"extraArgs": ["--v=2"]}
BASES = {"TenantControlPlane": TENANT, "KamajiControlPlane": CONTROL_PLANE, "KamajiControlPlaneTemplate": TEMPLATE}
PLANE = {
    "addons": {"coreDNS": {}},
    "apiServer": FLAGS,
    "controllerManager": FLAGS,
    "scheduler": FLAGS,
    "kine": FLAGS,
    "deployment": {"affinity": {"nodeAffinity": {}}},
    "deployment.additionalMetadata": METADATA,
    "deployment.podAdditionalMetadata": METADATA,
}
FILLED: dict[str, dict[str, Any]] = {
    "TenantControlPlane": {
        "addons": {"coreDNS": {}},
        "writePermissions": {"blockCreation": True},
        "controlPlane.service.additionalMetadata": METADATA,
        "controlPlane.ingress.additionalMetadata": METADATA,
        "controlPlane.gateway.additionalMetadata": METADATA,
        "controlPlane.deployment.additionalMetadata": METADATA,
        "controlPlane.deployment.podAdditionalMetadata": METADATA,
        "controlPlane.deployment.additionalVolumeMounts": {
            "scheduler": [{"name": "etc-kubernetes-pki", "mountPath": "/pki"}]
        },
        "controlPlane.deployment.containerSecurityContexts": {"scheduler": {"runAsUser": 65532}},
        "controlPlane.deployment.extraArgs": {"scheduler": ["--v=2"]},
        "controlPlane.deployment.probes": {"startup": {"failureThreshold": 9}},
        "controlPlane.deployment.resources": {"scheduler": {"requests": {"cpu": "1m"}}},
    },
    "KamajiControlPlane": PLANE,
    "KamajiControlPlaneTemplate": {f"template.spec.{path}": value for path, value in PLANE.items()},
}
ROUTES = {
    "controlPlane.ingress.additionalMetadata": {"spec.controlPlane.ingress.hostname": "a.example.com"},
    "controlPlane.gateway.additionalMetadata": {
        "spec.controlPlane.gateway.hostname": "a.example.com",
        "spec.controlPlane.gateway.parentRefs": [{"name": "edge"}],
    },
}
CASES = [(kind, path) for kind, blocks in FILLED.items() for path in blocks]


def nullable(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    if schema.get("nullable"):
        yield path
    for name, each in (schema.get("properties") or {}).items():
        yield from nullable(each, f"{path}.{name}".lstrip("."))


def said(kind: str, path: str, value: Any) -> Manifest:
    manifest = changed(copy.deepcopy(BASES[kind]), ROUTES.get(path, {}) | {f"spec.{path}": value})
    manifest["metadata"]["name"] = f"emptied-{next(COUNTER)}"
    return manifest


@pytest.mark.parametrize("kind", BASES)
def test_every_block_that_may_be_null_is_tried_here(kind: str) -> None:
    found = set(nullable(crd.schema(KINDS[kind])))
    assert found == {f"spec.{path}" for path in FILLED[kind]}


@pytest.mark.parametrize(("kind", "path"), CASES, ids=[f"{kind} {path}" for kind, path in CASES])
async def test_a_filled_block_can_be_emptied_by_apply_and_counts_as_absent(
    management: Cluster, kind: str, path: str
) -> None:
    full = said(kind, path, FILLED[kind][path])
    name, known = full["metadata"]["name"], await management.kind_of(full)
    await management.apply(full, manager="user")
    empty = changed(full, {f"spec.{path}": {}})
    wanted = KINDS[kind].parse(empty).model_dump(exclude={"metadata", "status"})
    try:
        stored = await management.apply(empty, manager="user")
        label = {"metadata": {"labels": {"c": "d"}}}  # what stands has to pass the rules when others write, too
        touched = await management.merge(known, name, "default", label, manager="other")
        for each in (stored, touched):
            assert KINDS[kind].parse(each).model_dump(exclude={"metadata", "status"}) == wanted
    finally:
        await management.delete(known, name, "default")
