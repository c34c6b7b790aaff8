"""A1: labels, names, scale, status and columns of our kinds. A18: the rights that the room runs with."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from provider.api import kinds
from provider.cluster.errors import Forbidden, Refused
from provider.manifest import Manifest, meta
from tests.conformance.world import VERSION, World
from tests.unit.provider.capi import fields

BOOTSTRAP = "system:serviceaccount:capi-kubeadm-bootstrap-system:capi-kubeadm-bootstrap-manager"
PLURALS = ("kamajicontrolplanes", "kamajicontrolplanetemplates")


@pytest.mark.parametrize("plural", PLURALS)
async def test_a1_core_finds_the_version_of_our_kinds_by_name_and_label(world: World, plural: str) -> None:
    crd = await served(world, plural)
    labels = {key: value for key, value in meta.labels_of(crd).items() if key.startswith("cluster.x-k8s.io/v")}
    assert labels == {"cluster.x-k8s.io/v1beta1": "v1alpha1", "cluster.x-k8s.io/v1beta2": "v1alpha2"}
    versions = {each["name"]: (each["served"], each["storage"]) for each in crd["spec"]["versions"]}
    assert versions == {"v1alpha1": (True, False), "v1alpha2": (True, True)}
    named = crd["spec"]["names"]
    assert crd["metadata"]["name"] == f"{named['plural']}.{crd['spec']['group']}"
    assert named["plural"] == named["kind"].lower() + "s"  # as core makes the name of the kind
    assert named["listKind"] == named["kind"] + "List"
    assert named["shortNames"] == [{"kamajicontrolplanes": "ktcp", "kamajicontrolplanetemplates": "ktcpt"}[plural]]
    assert named["categories"] == ["cluster-api", "kamaji"]
    assert crd["spec"]["scope"] == "Namespaced"


async def served(world: World, plural: str) -> Manifest:
    """The kind as the API server has it."""
    crd = await world.everybody.get(kinds.CUSTOM_RESOURCE_DEFINITION, f"{plural}.controlplane.cluster.x-k8s.io")
    assert crd is not None
    return crd


COUNT, FLAG, TEXT = {"type": "integer", "format": "int32"}, {"type": "boolean"}, {"type": "string"}
CONTRACT: dict[str, dict[str, Any]] = {
    "spec.version": {**TEXT, "minLength": 1, "maxLength": 256},
    "spec.replicas": COUNT,
    "spec.rollout": {"type": "object", "minProperties": 1},
    "spec.rollout.after": {**TEXT, "format": "date-time"},
    "spec.controlPlaneEndpoint": {"type": "object", "minProperties": 1},
    "spec.controlPlaneEndpoint.host": {**TEXT, "minLength": 1, "maxLength": 512},
    "spec.controlPlaneEndpoint.port": {**COUNT, "minimum": 1, "maximum": 65535},
    "status.initialization": {"type": "object", "minProperties": 1},
    "status.initialization.controlPlaneInitialized": FLAG,
    "status.externalManagedControlPlane": FLAG,
    "status.selector": TEXT,
    "status.version": TEXT,
    "status.versions": {"type": "array"},
    "status.conditions": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    **{f"status.{each}": COUNT for each in ("replicas", "readyReplicas", "availableReplicas", "upToDateReplicas")},
    # of contract v1beta1
    "status.initialized": FLAG,
    "status.ready": FLAG,
    "status.updatedReplicas": COUNT,
    "status.unavailableReplicas": COUNT,
}
"""What the contracts say of the fields that core reads, or lets others write."""
SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


@pytest.mark.parametrize("version", ["v1alpha1", "v1alpha2"])
async def test_a1_every_field_of_the_contracts_has_their_type_and_bounds(world: World, version: str) -> None:
    crd = await served(world, "kamajicontrolplanes")
    (found,) = [each for each in crd["spec"]["versions"] if each["name"] == version]
    assert found["subresources"] == {"status": {}, "scale": SCALE}
    for path, wanted in CONTRACT.items():
        schema = found["schema"]["openAPIV3Schema"]
        for name in path.split("."):
            schema = schema["properties"][name]
        assert {key: schema.get(key) for key in wanted} == wanted, path
    columns = {each["name"]: each["jsonPath"] for each in found["additionalPrinterColumns"]}
    told = {"v1alpha1": ".status.initialized", "v1alpha2": ".status.initialization.controlPlaneInitialized"}[version]
    assert columns == {
        "Version": ".spec.version",
        "Initialized": told,
        "Ready": ".status.ready",
        "Age": ".metadata.creationTimestamp",
    }


@pytest.mark.parametrize("version", ["v1alpha1", "v1alpha2"])
async def test_a1_a_templates_template_takes_metadata_and_has_neither_status_nor_scale(
    world: World, version: str
) -> None:
    crd = await served(world, "kamajicontrolplanetemplates")
    (found,) = [each for each in crd["spec"]["versions"] if each["name"] == version]
    assert not found.get("subresources")
    schema = found["schema"]["openAPIV3Schema"]["properties"]
    assert "status" not in schema
    template = schema["spec"]["properties"]["template"]["properties"]
    assert set(template) == {"metadata", "spec"}
    assert set(template["metadata"]["properties"]) == {"labels", "annotations"}


async def test_a1_ends_of_the_ranges_are_taken_and_what_is_beyond_them_is_not(world: World) -> None:
    for host, port in (("h", 1), ("h" * 512, 65535)):
        await world.control_plane("good", controlPlaneEndpoint={"host": host, "port": port})
    for host, port in (("", 1), ("h" * 513, 1), ("h", 0), ("h", 65536)):
        with pytest.raises(Refused, match="controlPlaneEndpoint"):
            await world.control_plane("wrong", controlPlaneEndpoint={"host": host, "port": port})
    long = "v1.36.3+" + "b" * 248
    await world.control_plane("good", version=long)
    with pytest.raises(Refused, match="version"):
        await world.control_plane("wrong", version=long + "b")
    with pytest.raises(Refused, match="replicas"):
        await world.control_plane("wrong", replicas=-1)
    for rollout in ({}, {"after": "tomorrow"}):
        with pytest.raises(Refused, match="rollout"):
            await world.control_plane("wrong", rollout=rollout)


async def test_a1_a_list_of_control_planes_shows_what_matters(world: World) -> None:
    await world.born()
    lines = world.kubectl("get", "ktcp").stdout.decode().splitlines()
    assert lines[0].split() == ["NAME", "VERSION", "INITIALIZED", "READY", "AGE"]
    assert lines[1].split()[:4] == ["kcp", VERSION, "true", "true"]
    assert world.kubectl("get", "cluster-api", "--output=name").stdout.decode().split()


async def test_a1_status_and_scale_are_doors_of_their_own(world: World) -> None:
    await world.born()
    stands = await world.status()
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"status": {"replicas": 77}})
    assert await world.status() == stands
    path = f"/apis/controlplane.cluster.x-k8s.io/v1alpha2/namespaces/{world.namespace}/kamajicontrolplanes/kcp/scale"
    scale = json.loads(world.kubectl("get", "--raw", path).stdout)
    assert scale["status"] == {"replicas": 2, "selector": "kamaji.clastix.io/name=kcp"}
    assert scale["spec"] == {"replicas": 2}


async def test_a1_a_template_needs_neither_version_nor_replicas_nor_endpoint(world: World) -> None:
    template = await world.apply(kinds.KAMAJI_CONTROL_PLANE_TEMPLATE, "t", spec={"template": {"spec": {}}})
    assert not {"version", "replicas", "controlPlaneEndpoint"} & set(template["spec"]["template"]["spec"])


async def test_a1_the_optional_structs_are_absent_or_say_something(world: World) -> None:
    with pytest.raises(Refused, match="controlPlaneEndpoint"):
        await world.control_plane("empty", controlPlaneEndpoint={})
    for version in ("1.36", "v1", "latest", ""):
        with pytest.raises(Refused, match="version"):
            await world.control_plane("wrong", version=version)


async def test_everything_that_a_user_can_say_arrives_at_the_hosting_room(world: World) -> None:
    await world.cluster()
    await world.apply(kinds.KAMAJI_CONTROL_PLANE, "kcp", spec=fields.everything())
    await world.adopt()
    await world.reconcile()
    assert (await world.condition("TenantControlPlaneCreated"))["status"] == "True"
    spec = (await world.tcp())["spec"]
    found = {path: fields.at(spec, field.to) for path, field in fields.MAPPED.items()}
    said = {path: field.value for path, field in fields.MAPPED.items()}
    # Addresses of the network win over those of the addon.
    assert found == said | {"addons.coreDNS.dnsServiceIPs": said["network.dnsServiceIPs"]}
    stands = await world.versions()
    world.restart()
    await world.reconcile()
    assert await world.versions() == stands


async def test_a18_the_room_has_the_rights_it_uses_and_no_others(world: World) -> None:
    await world.born()
    with pytest.raises(Forbidden):
        await world.provider.delete(kinds.CLUSTER, "c", world.namespace)
    with pytest.raises(Forbidden):
        await world.provider.list(kinds.NODE)
    with pytest.raises(Forbidden):
        await world.provider.merge(kinds.CLUSTER, "c", world.namespace, {"spec": {"paused": True}}, manager="x")
    with pytest.raises(Forbidden):
        patch = {"status": {"observedGeneration": 1}}
        await world.provider.merge(
            kinds.TENANT_CONTROL_PLANE, "kcp", world.namespace, patch, subresource="status", manager="x"
        )


async def test_a18_the_bootstrap_provider_may_read_the_version_at_each_join(world: World) -> None:
    await world.born()
    asked = ("get", "ktcp", "kcp", "--output=jsonpath={.spec.version}", f"--as={BOOTSTRAP}")
    assert world.kubectl(*asked).stdout.decode() == VERSION
    with pytest.raises(subprocess.CalledProcessError):
        world.kubectl("get", "secret", "c-ca", f"--as={BOOTSTRAP}")
