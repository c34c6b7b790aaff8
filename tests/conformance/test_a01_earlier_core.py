"""A1 and A17 with Cluster API 1.10, the last minor that speaks contract v1beta1 alone: its clusterctl and its core for real.

It serves Clusters as v1beta1 and knows our kinds by the label of the older contract, as v1alpha1.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import capi_repository, managers, programs
from lab.servers import ApiServer, Etcd
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.manifest import Manifest
from provider.manifest.condition import find
from tests.conformance.conftest import CONFIG, connected, rights
from tests.conformance.test_a05_infrastructure_kinds import SERVED, crd
from tests.conformance.test_doors import Seen, running, until
from tests.conformance.world import World

pytestmark = pytest.mark.nightly

MODULE, CORE, CLUSTERCTL = "cluster-api-1-10", "capi-core-1.10", "clusterctl-1.10"
TREE, TOPOLOGY = "config/default", "--feature-gates=ClusterTopology=true"
CLUSTER = Kind(f"{names.CAPI_GROUP}/v1beta1", "Cluster", "clusters")
KUBEVIRT = Kind("infrastructure.cluster.x-k8s.io/v1alpha1", "KubevirtCluster", "kubevirtclusters")
CONTRACT = "cluster.x-k8s.io/v1beta1"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """A management cluster with that core at work, our kinds and rights, and KubeVirt's kind, which is of that contract."""
    server = ApiServer(tmp_path_factory.mktemp("earlier"), plain_etcd, prefix="/earlier-core").start()
    try:
        (server.folder / "rights.yaml").write_text(rights())
        (server.folder / "kubevirt.json").write_text(json.dumps(crd(SERVED["KubevirtCluster"])))
        files = (CONFIG / "crd", server.folder / "rights.yaml", server.folder / "kubevirt.json")
        server.kubectl("apply", "--server-side", *(f"--filename={each}" for each in files))
        server.kubectl("label", "crd", "kubevirtclusters.infrastructure.cluster.x-k8s.io", f"{CONTRACT}=v1alpha1")
        with managers.controlling(server), managers.infrastructure(server, CORE, TREE, TOPOLOGY):
            yield server
    finally:
        server.stop()


@pytest.fixture
async def world(earlier: ApiServer) -> AsyncIterator[World]:
    async with connected(earlier, "earlier") as found:
        yield found


def reference(kind: Kind, name: str) -> dict[str, str]:
    """As v1beta1 names an object: with a version."""
    return {"apiVersion": kind.api_version, "kind": kind.kind, "name": name}


async def told(world: World, **wanted: Any) -> bool:
    """Whether core says this of its Cluster."""
    status = (await world.get(CLUSTER, "c") or {}).get("status") or {}
    return {key: status.get(key) for key in wanted} == wanted


async def counted(world: World, replicas: int) -> bool:
    """Whether core has our counters."""
    status = (await world.get(CLUSTER, "c") or {}).get("status") or {}
    plane = (status.get("v1beta2") or {}).get("controlPlane") or {}
    return (plane.get("desiredReplicas"), plane.get("replicas")) == (replicas, replicas)


async def says(world: World, kind: str, status: str) -> bool:
    """Whether a condition of the Cluster has this status, of those that it has as v1beta2 has them."""
    found = (await world.get(CLUSTER, "c") or {}).get("status") or {}
    return (find((found.get("v1beta2") or {}).get("conditions"), kind) or {}).get("status") == status


async def test_a1_a_core_of_1_10_brings_a_cluster_to_life_by_the_older_contract_and_ends_it(world: World) -> None:
    seen = Seen(world)
    older = Kind(
        f"{names.CONTROL_PLANE_GROUP}/{names.CONTROL_PLANE_OLDER}", "KamajiControlPlane", "kamajicontrolplanes"
    )
    managed = {names.ANNOTATION_MANAGED_BY: names.MANAGED_BY_US}
    await world.apply(KUBEVIRT, "i", annotations=managed, spec={})
    network = {"services": {"cidrBlocks": ["10.97.0.0/16"]}}
    spec = {"clusterNetwork": network, "controlPlaneRef": reference(older, "kcp")}
    await world.apply(CLUSTER, "c", spec=spec | {"infrastructureRef": reference(KUBEVIRT, "i")})
    await world.control_plane()
    with running(world):
        await until(lambda: seen.there(kinds.TENANT_CONTROL_PLANE, "kcp"))
        (owner,) = (await world.kcp())["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("Cluster", "c", True)
        assert (await world.tcp())["spec"]["networkProfile"]["serviceCIDRs"] == ["10.97.0.0/16"]
        await until(lambda: told(world, controlPlaneReady=False))

        await world.host()
        await until(lambda: told(world, phase="Provisioned", controlPlaneReady=True, infrastructureReady=True))
        endpoint = (await world.kcp())["spec"]["controlPlaneEndpoint"]
        cluster, infrastructure = await world.get(CLUSTER, "c"), await world.get(KUBEVIRT, "i")
        assert cluster is not None
        assert infrastructure is not None
        assert cluster["spec"]["controlPlaneEndpoint"] == endpoint
        assert infrastructure["spec"]["controlPlaneEndpoint"] == endpoint
        assert find(cluster["status"]["conditions"], "ControlPlaneInitialized")["status"] == "True"  # type: ignore[index]
        await until(partial(counted, world, 2))
        for kind in ("RemoteConnectionProbe", "ControlPlaneAvailable", "Available"):  # the first: by our kubeconfig
            await until(partial(says, world, kind, "True"))

        await world.host(ready=False, phase="NotReady", numbers=(2, 2, 0))
        await until(partial(says, world, "ControlPlaneAvailable", "False"))
        world.kubectl("scale", "ktcp/kcp", "--replicas=3")
        await until(seen.three_replicas)
        await world.host(numbers=(3, 3, 3))
        await until(partial(counted, world, 3))

        await world.change(CLUSTER, "c", {"spec": {"paused": True}})
        await until(seen.paused)
        await world.change(CLUSTER, "c", {"spec": {"paused": False}})

        await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": [names.FINALIZER_TENANT]}})
        await world.delete(CLUSTER, "c")
        await until(seen.tenant_ending)
        assert await seen.there(kinds.KAMAJI_CONTROL_PLANE, "kcp")
        assert await seen.there(KUBEVIRT, "i"), "it goes after the control plane"
        await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": None}})
        for each, name in ((kinds.KAMAJI_CONTROL_PLANE, "kcp"), (KUBEVIRT, "i"), (CLUSTER, "c")):
            await until(partial(seen.gone, each, name))


# --- clusterctl


def repository(root: Path) -> Path:
    """Its core's release, and ours as docs/cluster-api.md says it for a clusterctl of that contract."""
    source = programs.source(MODULE)
    words = [programs.path("kubectl"), "kustomize", source / TREE]
    components = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    ours = capi_repository.PROJECT / "clusterctl"
    page = (capi_repository.PROJECT / "docs" / "cluster-api.md").read_text()
    (said,) = [line for line in page.splitlines() if "contract: v1beta1" in line and "metadata.yaml" in line]
    (root / "control-plane-kamaji/v0.1.0").mkdir(parents=True)
    env = {**os.environ, "repository": str(root / "control-plane-kamaji/v0.1.0")}
    subprocess.run(["bash", "-euc", said], env=env, cwd=capi_repository.PROJECT, check=True)
    version = programs.modules()[MODULE].version
    files = {
        f"cluster-api/{version}/core-components.yaml": components,
        f"cluster-api/{version}/metadata.yaml": (source / "metadata.yaml").read_text(),
        "control-plane-kamaji/v0.1.0/control-plane-components.yaml": (
            ours / "control-plane-components.yaml"
        ).read_text(),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    kind_of = {"core-components.yaml": ("cluster-api", "CoreProvider")}
    other = ("kamaji", "ControlPlaneProvider")
    listed = [each for each in files if each.endswith("components.yaml")]
    providers = [
        dict(zip(("name", "type"), kind_of.get(Path(each).name, other), strict=True)) | {"url": str(root / each)}
        for each in listed
    ]
    config = root / "clusterctl.yaml"
    config.write_text(yaml.safe_dump({"providers": providers}))
    return config


@pytest.fixture
def empty(tmp_path: Path, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """A management cluster with nothing but the kinds of cert-manager, which clusterctl asks for first."""
    server = ApiServer(tmp_path, plain_etcd, prefix="/earlier-clusterctl").start()
    try:
        crds = capi_repository.module("cert-manager") / "deploy" / "crds"
        server.kubectl("apply", "--server-side", f"--filename={crds}")
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s")
        yield server
    finally:
        server.stop()


def test_a17_a_clusterctl_of_1_10_installs_our_release_beside_its_core(empty: ApiServer, tmp_path: Path) -> None:
    config = repository(tmp_path / "repository")
    (tmp_path / "admin").write_bytes(empty.kubeconfig("admin", "system:masters"))
    offline = {"CLUSTERCTL_DISABLE_VERSIONCHECK": "true", "GOPROXY": "off", "XDG_CONFIG_HOME": str(tmp_path)}
    words = ["init", "--core=cluster-api", "--bootstrap=-", "--control-plane=kamaji", f"--config={config}"]
    done = subprocess.run(
        [programs.path(CLUSTERCTL), *words, f"--kubeconfig={tmp_path / 'admin'}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **offline},
    )
    assert done.returncode == 0, done.stderr
    found: list[Manifest] = json.loads(empty.kubectl("get", "providers", "-A", "-o", "json").stdout)["items"]
    assert {each["providerName"]: each["version"] for each in found} == {
        "cluster-api": programs.modules()[MODULE].version,
        "kamaji": "v0.1.0",
    }
    labels = "jsonpath={.metadata.labels}"
    kind = f"crd/kamajicontrolplanes.{names.CONTROL_PLANE_GROUP}"
    assert json.loads(empty.kubectl("get", kind, "-o", labels).stdout)[CONTRACT] == names.CONTROL_PLANE_OLDER
    assert empty.kubectl("-n", "kamaji-system", "get", "deployments", "-o", "name").stdout.strip()
