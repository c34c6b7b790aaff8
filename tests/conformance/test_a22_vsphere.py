"""A22 with Cluster API's vSphere provider: its own controllers, webhooks and rights, a simulated vCenter, our template."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import managers
from lab.infrastructure import kinds as lab_kinds
from lab.servers import Etcd
from provider.api import kinds
from provider.api.kinds import Kind
from provider.manifest import Manifest, meta
from tests.conformance import core, kubelet, vcenter
from tests.conformance.conftest import connected, rights
from tests.conformance.core import until
from tests.conformance.test_a07_with_core import pinned
from tests.conformance.test_a09_workers_with_core import kcp_of
from tests.conformance.vcenter import VCenter, guestinfo
from tests.conformance.world import World
from tests.integration.templates.provider_kinds import generated, providers

pytestmark = pytest.mark.nightly

TREE = "config/default"
GROUP = "infrastructure.cluster.x-k8s.io"
RELEASES = {"capv": ("v1beta1", "sha1"), "capv-1.16": ("v1beta2", "sha256")}
"""Programs of lab/programs.toml, the version of its kinds that each is about, and a kind of thumbprint: both take both."""
ENDPOINT = "192.0.2.20"
CREDENTIALS = "c-vsphere-credentials"  # as the template names it
(VSPHERE,) = [each for each in providers() if each.name == "vsphere"]


@dataclass(frozen=True)
class Site:
    """A management cluster's namespace, the vCenter, and the provider's API version."""

    world: World
    vcenter: VCenter
    version: str

    def kind(self, name: str) -> Kind:
        return Kind(f"{GROUP}/{self.version}", name, f"{name.lower()}s")

    async def all(self, name: str) -> list[Manifest]:
        return await self.world.everybody.list(self.kind(name), self.world.namespace)

    def cluster(self, folder: Path, workers: int, template: Path = VSPHERE.plain) -> str:
        """What `clusterctl generate cluster` makes of the template."""
        variables = {"CONTROL_PLANE_ENDPOINT_IP": ENDPOINT, **self.vcenter.variables}
        source = ("--from", str(template))
        return self.of_this_release(
            generated(folder, self.world.namespace, *source, variables=variables, workers=workers)
        )

    def of_this_release(self, text: str) -> str:
        return text.replace(f"{GROUP}/v1beta2", f"{GROUP}/{self.version}")

    def apply(self, text: str) -> None:
        file = self.world.server.folder / "cluster.yaml"
        file.write_text(text)
        self.world.kubectl("apply", "--server-side", f"--filename={file}")


@pytest.fixture(scope="module", params=RELEASES)
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd
) -> Iterator[tuple[Any, VCenter, str]]:
    folder, (version, algorithm) = tmp_path_factory.mktemp(request.param), RELEASES[request.param]
    credentials = folder / "credentials.yaml"
    credentials.write_text("{}\n")  # each Cluster brings its own
    with (
        vcenter.running(folder, algorithm) as found,
        core.served(folder, plain_etcd, rights(), webhooks=True) as server,
        managers.infrastructure(server, request.param, TREE, f"--credentials-file={credentials}"),
    ):
        yield server, found, version


@pytest.fixture
async def site(servers: tuple[Any, VCenter, str]) -> AsyncIterator[Site]:
    server, found, version = servers
    async with connected(server, "vsphere") as world:
        credentials = {"username": vcenter.USERNAME.encode(), "password": vcenter.PASSWORD.encode()}
        await world.apply(kinds.SECRET, CREDENTIALS, data=meta.secret_data(credentials))
        yield Site(world, found, version)


async def born(site: Site, text: str) -> None:
    """Applied as it is; the hosting room answers as soon as it is asked."""
    world = site.world
    site.apply(text)
    await core.asked(world, "c")
    await world.host("c", endpoint=f"{ENDPOINT}:6443")


async def machines(site: Site) -> list[Manifest]:
    return await site.world.everybody.list(lab_kinds.MACHINE, site.world.namespace)


async def are(site: Site, *phases: str, name: str = "c") -> bool:
    """Whether the Machines are in these phases; our queue looks at this control plane meanwhile."""
    await site.world.reconcile(name)
    return [(each.get("status") or {}).get("phase") for each in await machines(site)] == [*phases]


def joins(site: Site, machine: dict[str, Any]) -> dict[str, Any]:
    """The JoinConfiguration in a machine's user data, which cloud-init fills in with the machine's own metadata."""
    cloud = yaml.safe_load(guestinfo(machine, "userdata"))
    (join,) = [each["content"] for each in cloud["write_files"] if each["path"].endswith("kubeadm-join-config.yaml")]
    (said,) = [each for each in yaml.safe_load_all(join) if each["kind"] == "JoinConfiguration"]
    assert any(each.startswith("kubeadm join --config") for each in cloud["runcmd"])
    assert said["nodeRegistration"]["name"] == "{{ local_hostname }}"
    assert yaml.safe_load(guestinfo(machine, "metadata"))["local-hostname"] == machine["name"]
    found: dict[str, Any] = said["discovery"]["bootstrapToken"]
    return found


async def test_a22_vsphere_machines_run_with_our_join_data_and_go_with_their_cluster(
    site: Site, tmp_path: Path
) -> None:
    world = site.world
    await born(site, site.cluster(tmp_path, workers=2))
    await until(partial(are, site, "Provisioned", "Provisioned"), "two Machines that are provisioned")
    (cluster,) = await site.all("VSphereCluster")
    assert cluster["spec"]["controlPlaneEndpoint"] == {"host": ENDPOINT, "port": 6443}
    assert (await world.condition("InfrastructureClusterPatched", "c"))["status"] == "True"
    there = site.vcenter.machines()
    assert sorted(there) == sorted(each["metadata"]["name"] for each in await machines(site))
    for each in there.values():
        assert (each["power"], each["cpus"], each["memoryMiB"]) == ("poweredOn", 2, 8192)
        token = joins(site, each)
        assert token["apiServerEndpoint"] == f"{ENDPOINT}:6443"
        assert token["caCertHashes"] == [pinned(world.server.authority.certificate)]
        secret = f"bootstrap-token-{token['token'].partition('.')[0]}"
        assert await world.everybody.get(kinds.SECRET, secret, "kube-system") is not None  # through our kubeconfig
    told = [each["address"] for found in await machines(site) for each in found["status"]["addresses"]]
    assert {address for each in there.values() for address in each["addresses"]} <= {*told}
    await kubelet.register(world, site.kind("VSphereMachine"))
    await until(partial(are, site, "Running", "Running"), "their Nodes are known")
    await ends(site)


async def ends(site: Site, name: str = "c") -> None:
    """The Cluster is deleted, and what its machines were made of goes before it."""
    await site.world.delete(kinds.CLUSTER, "c")

    async def gone() -> bool:
        await site.world.reconcile(name)
        return await site.world.get(kinds.CLUSTER, "c") is None

    await until(gone, "the end of the Cluster")
    assert site.vcenter.machines() == {}
    for kind in (kinds.KAMAJI_CONTROL_PLANE, kinds.TENANT_CONTROL_PLANE, site.kind("VSphereCluster")):
        assert await site.world.everybody.list(kind, site.world.namespace) == []
    assert await site.world.get(kinds.SECRET, CREDENTIALS) is None  # the provider takes them with the Cluster


async def test_a22_a_vsphere_cluster_without_an_endpoint_is_told_ours(site: Site, tmp_path: Path) -> None:
    documents = [each for each in yaml.safe_load_all(site.cluster(tmp_path, workers=0)) if each]
    for each in documents:
        if each["kind"] == "VSphereCluster":
            del each["spec"]["controlPlaneEndpoint"]
        if each["kind"] == "KamajiControlPlane":
            del each["spec"]["network"]["serviceAddress"]
    await born(site, yaml.safe_dump_all(documents))

    async def told() -> bool:
        await site.world.reconcile("c")
        (found,) = await site.all("VSphereCluster")
        return bool(found["spec"].get("controlPlaneEndpoint", {}).get("host"))

    await until(told, "the endpoint in the VSphereCluster")
    (found,) = await site.all("VSphereCluster")
    assert found["spec"]["controlPlaneEndpoint"] == {"host": ENDPOINT, "port": 6443}
    await core.says(site.world, "Available", name="c")
    await ends(site)


async def test_a22_a_vsphere_cluster_of_our_class_gets_its_machine(site: Site, tmp_path: Path) -> None:
    site.apply(site.of_this_release(VSPHERE.cluster_class.read_text()))
    site.apply(site.cluster(tmp_path, 1, VSPHERE.topology))

    async def asked() -> bool:
        name = await kcp_of(site.world)
        return bool(name) and await site.world.get(kinds.TENANT_CONTROL_PLANE, name) is not None

    await until(asked, "the topology's control plane, and its tenant")
    name = await kcp_of(site.world)
    await site.world.host(name, endpoint=f"{ENDPOINT}:6443")
    await until(partial(are, site, "Provisioned", name=name), "a Machine that is provisioned")
    (machine,) = site.vcenter.machines().values()
    assert joins(site, machine)["apiServerEndpoint"] == f"{ENDPOINT}:6443"
    await ends(site, name)
