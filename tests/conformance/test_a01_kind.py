"""A1: labels, names, scale, status and columns of our kinds. A18: the rights that the room runs with."""

from __future__ import annotations

import subprocess

import pytest

from provider.api import kinds
from provider.cluster.errors import Forbidden, Refused
from provider.manifest import meta
from tests.conformance.world import VERSION, World
from tests.unit.provider.capi import fields

BOOTSTRAP = "system:serviceaccount:capi-kubeadm-bootstrap-system:capi-kubeadm-bootstrap-manager"
PLURALS = ("kamajicontrolplanes", "kamajicontrolplanetemplates")


@pytest.mark.parametrize("plural", PLURALS)
async def test_a1_core_finds_the_version_of_our_kinds_by_name_and_label(world: World, plural: str) -> None:
    crd = await world.everybody.get(kinds.CUSTOM_RESOURCE_DEFINITION, f"{plural}.controlplane.cluster.x-k8s.io")
    assert crd is not None
    version = meta.labels_of(crd)["cluster.x-k8s.io/v1beta2"]
    assert version in [each["name"] for each in crd["spec"]["versions"] if each["served"]]
    assert crd["spec"]["names"]["listKind"] == crd["spec"]["names"]["kind"] + "List"
    assert crd["spec"]["scope"] == "Namespaced"


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
    scale = world.kubectl("get", "--raw", path).stdout.decode()
    assert '"selector":"kamaji.clastix.io/name=kcp"' in scale
    assert '"status":{"replicas":2' in scale


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
