"""A20: each room alone. The capi room beside an operator of upstream's API, the hosting room beside upstream's provider.

Upstream's kind of TenantControlPlane has every field that ours has but `status.conditions`, and other rules; its CRD is made of
ours here (`CAPI_KAMAJI_UPSTREAM_CRD=FILE` takes the release's own in its place). What upstream's programs write is written by
hand, as their types say it.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import capi_repository
from lab.servers import ApiServer, Etcd
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from tests.conformance.conftest import ACCOUNT, CLUSTER_CRD, CONFIG, CONTRACTS, GROUPS, rights
from tests.conformance.test_doors import Seen, running, until
from tests.conformance.world import VERSION, World, other_pairs
from tests.integration.fixtures import api_server, cluster, management, namespace
from tests.integration.hosted import Hosted, Store
from tests.unit.provider.capi import fields

__all__ = ["api_server", "cluster", "management", "namespace"]

OPERATOR, PROVIDER, NEWER = "manager", "cluster-api-control-plane-provider-kamaji", "v1.37.1"
COUNTER = itertools.count(1)
FINALIZERS = [names.FINALIZER_TENANT, names.FINALIZER_SOOT]


def upstreams_kind() -> Manifest:
    """Upstream's CRD: no conditions, nothing nullable, and rules that take networkProfile and service for granted."""
    if given := os.environ.get("CAPI_KAMAJI_UPSTREAM_CRD"):
        found: Manifest = yaml.safe_load(Path(given).read_text())
        return found
    document: Manifest = yaml.safe_load((CONFIG / "crd" / "tenantcontrolplanes.kamaji.clastix.io.yaml").read_text())
    for version in document["spec"]["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        _without(schema, "x-kubernetes-validations", "nullable")
        del schema["properties"]["status"]["properties"]["conditions"]
        plane = schema["properties"]["spec"]["properties"]["controlPlane"]["properties"]["deployment"]["properties"]
        some = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        kinds_of = ("nodeAffinity", "podAffinity", "podAntiAffinity")  # typed there to the last field
        plane["affinity"] = {"type": "object", "properties": dict.fromkeys(kinds_of, some)}
        granted = "has(self.networkProfile) && has(self.controlPlane.service)"
        schema["properties"]["spec"]["x-kubernetes-validations"] = [{"rule": granted, "message": "no such key"}]
    return document


def _without(node: Any, *keys: str) -> None:
    if isinstance(node, dict):
        for key in keys:
            if not isinstance(node.get(key), dict):  # a property may be called so
                node.pop(key, None)
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _without(each, *keys)


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """A management cluster with upstream's operator: of our kinds only those of the capi room, and its rights alone."""
    server = ApiServer(tmp_path_factory.mktemp("upstream"), plain_etcd, prefix="/upstream").start()
    written = {"kind.yaml": yaml.safe_dump(upstreams_kind()), "rights.yaml": rights()}
    for name, text in written.items():
        (server.folder / name).write_text(text)
    files = [
        *(str(server.folder / name) for name in written),
        *(str(each) for each in sorted((CONFIG / "crd").glob("kamajicontrolplane*.yaml"))),
        str(capi_repository.module("cluster-api") / CLUSTER_CRD),
    ]
    server.kubectl("apply", "--server-side", *(f"--filename={each}" for each in files))
    server.kubectl("label", "crd", "clusters.cluster.x-k8s.io", *CONTRACTS)
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s")
    yield server
    server.stop()


@pytest.fixture
async def beside(upstreams: ApiServer) -> AsyncIterator[World]:
    """A namespace of the test's own, and the capi room with its ServiceAccount's rights."""
    everybody = await connect.from_kubeconfig(upstreams.kubeconfig())
    own = f"beside-{next(COUNTER)}"
    await everybody.apply(meta.new(kinds.NAMESPACE, own), manager="tests")
    provider = await connect.from_kubeconfig(upstreams.kubeconfig(ACCOUNT, *GROUPS))
    yield World(server=upstreams, everybody=everybody, provider=provider, namespace=own)
    await provider.close()
    await everybody.close()


async def operator(
    world: World, phase: str, *, name: str = "kcp", version: str | None = VERSION, numbers: dict[str, int] | None = None
) -> None:
    """What upstream's operator leaves after a pass: finalizers, Secrets of type Opaque, a status without conditions.

    Numbers that are zero are left out, as Go's types do.
    """
    tcp, server = await world.tcp(name), world.server
    pair, block = server.authority.pair, {"checksum": "0" * 32, "lastUpdate": "2026-01-01T00:00:00Z"}
    authority = {"ca.crt": pair.certificate, "ca.key": pair.key, "tls.crt": pair.certificate, "tls.key": pair.key}
    admin = {"admin.conf": server.kubeconfig("kubernetes-admin", "system:masters")}
    pairs = {names.ca_secret(name): authority, names.admin_kubeconfig_secret(name): admin, **other_pairs(name)}
    for secret, data in pairs.items():
        if await world.get(kinds.SECRET, secret) is None:
            labels = names.tenant_labels(name, "certificate")
            made = meta.new(
                kinds.SECRET, secret, world.namespace, labels=labels, type="Opaque", data=meta.secret_data(data)
            )
            await world.everybody.create(meta.owned(made, tcp), manager=OPERATOR)
    selector = f"{names.LABEL_NAME}={name}"
    deployment = {"name": name, "namespace": world.namespace, "selector": selector, "lastUpdate": block["lastUpdate"]}
    status = {
        "observedGeneration": tcp["metadata"]["generation"],
        "storage": {
            "driver": "etcd",
            "dataStoreName": "default",
            "certificate": {"secretName": names.datastore_certificate_secret(name), **block},
        },
        "certificates": {
            "ca": {"secretName": names.ca_secret(name), **block},
            "frontProxyCA": {"secretName": names.front_proxy_ca_secret(name), **block},
            "sa": {"secretName": names.service_account_secret(name), **block},
        },
        "kubeconfig": {"admin": {"secretName": names.admin_kubeconfig_secret(name), **block}},
        "kubernetesResources": {
            "version": {"status": phase} | ({"version": version} if version else {}),
            "deployment": {**deployment, **dict.fromkeys(GONE_WHEN_ZERO), **(numbers or {})},
        },
        "controlPlaneEndpoint": server.url.removeprefix("https://"),
    }
    patch = {"metadata": {"finalizers": FINALIZERS}}
    await world.everybody.merge(kinds.TENANT_CONTROL_PLANE, name, world.namespace, patch, manager=OPERATOR)
    await world.everybody.merge(
        kinds.TENANT_CONTROL_PLANE, name, world.namespace, {"status": status}, subresource="status", manager=OPERATOR
    )


GONE_WHEN_ZERO = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def counted(there: int, updated: int, ready: int) -> dict[str, int]:
    said = {"replicas": there, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready}
    return {key: value for key, value in said.items() if value}


async def test_a20_every_field_that_a_user_can_set_is_one_that_upstreams_operator_knows(beside: World) -> None:
    await beside.cluster()
    await beside.apply(kinds.KAMAJI_CONTROL_PLANE, "kcp", spec=fields.everything())
    await beside.adopt()
    await beside.reconcile()
    assert await beside.condition("TenantControlPlaneCreated") != {}
    assert (await beside.condition("TenantControlPlaneCreated"))["status"] == "True"
    spec = (await beside.tcp())["spec"]
    lost = [path for path, field in fields.MAPPED.items() if fields.at(spec, field.to) is None]
    assert lost == []


async def test_a20_a_word_that_upstreams_operator_does_not_know_is_the_users_to_mend(beside: World) -> None:
    await beside.cluster()
    await beside.control_plane(deployment={"affinity": {"nodesAffinity": {}}})
    await beside.adopt()
    assert await beside.reconcile() is None
    condition = await beside.condition("TenantControlPlaneCreated")
    assert (condition["status"], condition["reason"]) == ("False", "RefusedByManagementCluster")
    assert ".spec.controlPlane.deployment.affinity.nodesAffinity: field not declared in schema" in condition["message"]


async def test_a20_a_control_plane_of_a_version_alone_is_one_that_upstreams_rules_take(beside: World) -> None:
    await beside.cluster(clusterNetwork=None)
    await beside.apply(kinds.KAMAJI_CONTROL_PLANE, "kcp", spec={"version": VERSION})
    await beside.adopt()
    await beside.reconcile()
    assert (await beside.condition("TenantControlPlaneCreated"))["status"] == "True"


async def test_a20_the_capi_room_alone_brings_a_cluster_from_birth_to_its_end(beside: World) -> None:
    seen = Seen(beside)

    async def told(**wanted: Any) -> bool:
        status = await beside.status()
        return {key: status.get(key) for key in wanted} == wanted

    async def says(kind: str, status: str) -> bool:
        return (await beside.condition(kind)).get("status") == status

    await beside.cluster()
    await beside.control_plane()
    with running(beside):
        await beside.adopt()
        await until(lambda: seen.there(kinds.TENANT_CONTROL_PLANE, "kcp"))
        await operator(beside, "Provisioning", version=None, numbers=counted(2, 2, 0))
        await until(partial(told, replicas=2, readyReplicas=0, ready=False))
        assert "initialization" not in await beside.status()
        await operator(beside, "Ready", numbers=counted(2, 2, 2))
        await until(seen.initialized)
        await until(partial(told, version=VERSION, versions=[{"version": VERSION, "replicas": 2}]))
        for each in ("kubeconfig", "ca", "proxy", "sa", "etcd"):
            assert meta.labels_of(await beside.secret(f"c-{each}"))[names.LABEL_CLUSTER_NAME] == "c"

        await beside.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": NEWER}})
        await operator(beside, "Upgrading", numbers=counted(4, 2, 3))
        both = [{"version": VERSION, "replicas": 2}, {"version": NEWER, "replicas": 2}]
        await until(partial(told, version=VERSION, versions=both))
        await operator(beside, "Ready", version=NEWER, numbers=counted(2, 2, 2))
        await until(partial(told, version=NEWER, versions=[{"version": NEWER, "replicas": 2}]))

        await operator(beside, "NotReady", version=NEWER, numbers=counted(2, 2, 0))
        await until(partial(says, "Available", "False"))
        await operator(beside, "Ready", version=NEWER, numbers=counted(2, 2, 2))
        await until(partial(says, "Available", "True"))

        await beside.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"replicas": 0}})
        await operator(beside, "Sleeping", version=NEWER)
        await until(partial(told, replicas=0, availableReplicas=0, versions=[{"version": NEWER}]))

        await beside.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
        await until(seen.tenant_ending)
        assert await beside.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is not None
        await beside.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": None}})
        await until(lambda: seen.gone(kinds.KAMAJI_CONTROL_PLANE, "kcp"))


async def test_a20_settled_beside_upstreams_operator_nothing_is_written(beside: World) -> None:
    await beside.cluster()
    await beside.control_plane()
    await beside.adopt()
    await beside.reconcile()
    await operator(beside, "Ready", numbers=counted(2, 2, 2))
    await beside.reconcile()
    assert (await beside.status())["initialization"] == {"controlPlaneInitialized": True}
    stands = await beside.versions()
    beside.restart()
    await beside.reconcile()
    assert await beside.versions() == stands


async def test_a20_of_a_control_plane_called_like_its_cluster_workers_find_the_authority(beside: World) -> None:
    await beside.cluster("same", kcp="same")
    await beside.control_plane("same")
    await beside.adopt("same", "same")
    await beside.reconcile("same")
    await operator(beside, "Ready", name="same", numbers=counted(2, 2, 2))
    before = await beside.secret("same-ca")
    assert names.LABEL_CLUSTER_NAME not in meta.labels_of(before)  # which Cluster API's caches do not see
    await beside.reconcile("same")
    after = await beside.secret("same-ca")
    assert meta.labels_of(after)[names.LABEL_CLUSTER_NAME] == "same"
    assert (after["data"], after["metadata"]["ownerReferences"]) == (
        before["data"],
        before["metadata"]["ownerReferences"],
    )
    stands = await beside.versions()
    await beside.reconcile("same")
    assert await beside.versions() == stands


# --- the hosting room


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """A management cluster with the hosting room's kinds and rights, and nothing of Cluster API's."""
    server = ApiServer(tmp_path_factory.mktemp("hosting"), plain_etcd, prefix="/hosting").start()
    process = list(yaml.safe_load_all((CONFIG / "rbac/process.yaml").read_text()))
    ours = [each for each in process if each["metadata"]["name"] not in ("kamaji-capi", "kamaji-infrastructure")]
    (server.folder / "process.yaml").write_text(yaml.safe_dump_all(ours))
    files = [
        *(CONFIG / "manager/namespace.yaml", CONFIG / "rbac/hosting.yaml", server.folder / "process.yaml"),
        *(each for each in sorted((CONFIG / "crd").glob("*.yaml")) if "controlplane.cluster" not in each.name),
    ]
    server.kubectl("apply", "--server-side", *(f"--filename={each}" for each in files))
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s")
    yield server
    server.stop()


async def test_a20_the_hosting_room_alone_needs_its_own_kinds_and_rights_and_no_others(hosts: ApiServer) -> None:
    everybody = await connect.from_kubeconfig(hosts.kubeconfig())
    await everybody.apply(meta.new(kinds.NAMESPACE, "tenants"), manager="tests")
    world = World(server=hosts, everybody=everybody, provider=everybody, namespace="tenants")
    with running(world, rooms="hosting"):
        await until(lambda: everybody.get(kinds.DATA_STORE_POOL, "default"))
        await everybody.create(asked_by_upstream("tenants", "demo", 6443), manager=PROVIDER)
        await until(lambda: world.get(kinds.SERVICE, "demo"))
        await until(lambda: told(world, "demo"))
    await everybody.close()


async def told(world: World, name: str) -> bool:
    return bool((await world.tcp(name)).get("status", {}).get("conditions"))


def asked_by_upstream(namespace: str, name: str, port: int) -> Manifest:
    """A TenantControlPlane as upstream's provider makes it: with Go's empty structs and the KamajiControlPlane's labels."""
    empty = {each: {} for each in ("apiServer", "controllerManager", "scheduler", "kine")}
    images = {"apiServerImage": "kube-apiserver", "controllerManagerImage": "kube-controller-manager"}
    deployment = {
        "replicas": 1,
        "registrySettings": {"registry": "registry.k8s.io", **images, "schedulerImage": "kube-scheduler"},
        "strategy": {},
        "resources": empty,
        "extraArgs": {},
        "additionalMetadata": {},
        "podAdditionalMetadata": {},
        "additionalVolumeMounts": {},
        "serviceAccountName": "default",
    }
    spec = {
        "controlPlane": {"deployment": deployment, "service": {"additionalMetadata": {}, "serviceType": "ClusterIP"}},
        "kubernetes": {
            "version": VERSION,
            "kubelet": {"preferredAddressTypes": ["InternalIP", "ExternalIP", "Hostname"], "cgroupfs": "systemd"},
        },
        "networkProfile": {
            "port": port,
            "serviceCidr": "10.96.0.0/16",
            "podCidr": "10.244.0.0/16",
            "clusterDomain": "cluster.local",
        },
        "addons": {"coreDNS": {}, "kubeProxy": {}},
    }
    labels = {names.LABEL_CLUSTER_NAME: name}
    return meta.new(kinds.TENANT_CONTROL_PLANE, name, namespace, labels=labels, annotations={"a": "b"}, spec=spec)


@pytest.fixture
async def hosted(management: Cluster, namespace: str, tmp_path: Path) -> AsyncIterator[Hosted]:
    store = await Store.start(management, tmp_path / "etcd", "beside-upstream")
    found = Hosted(management, store, namespace, tmp_path / "tenant")
    yield found
    await found.stop()
    store.stop()


async def test_a20_what_upstreams_provider_asks_for_is_hosted_and_what_it_reads_is_said(
    hosted: Hosted, api_server: ApiServer
) -> None:
    await hosted.cluster.create(asked_by_upstream(hosted.namespace, hosted.name, hosted.port), manager=PROVIDER)
    await hosted.look(2)
    await hosted.serve()
    await hosted.look(3)
    status = (await hosted.tcp())["status"]
    resources = status["kubernetesResources"]
    assert (resources["version"]["status"], resources["version"]["version"]) == ("Ready", VERSION)
    host, _, port = status["controlPlaneEndpoint"].rpartition(":")
    assert host
    assert int(port) == hosted.port
    counts = {
        key: resources["deployment"][key]
        for key in ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
    }
    assert set(counts.values()) == {1}
    assert resources["deployment"]["selector"] == f"{names.LABEL_NAME}={hosted.name}"
    admin = meta.decoded(await hosted.get(kinds.SECRET, status["kubeconfig"]["admin"]["secretName"]))
    assert {"admin.conf", "admin.svc"} <= set(admin)
    authority = meta.decoded(await hosted.get(kinds.SECRET, status["certificates"]["ca"]["secretName"]))
    assert {"ca.crt", "ca.key"} <= set(authority)
    # At its next pass it writes the whole object again, with the KamajiControlPlane's labels alone.
    stands = await hosted.tcp()
    again = asked_by_upstream(hosted.namespace, hosted.name, hosted.port)
    again["metadata"] = {**stands["metadata"], "labels": again["metadata"]["labels"]}
    file = hosted.folder / "again.json"
    file.write_text(json.dumps(again))
    api_server.kubectl("replace", f"--filename={file}")
    await hosted.look(2)
    now = await hosted.tcp()
    assert now["metadata"]["finalizers"] == stands["metadata"]["finalizers"]
    assert now["spec"] == stands["spec"]
    assert now["status"] == stands["status"]
