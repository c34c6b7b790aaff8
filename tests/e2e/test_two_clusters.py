"""Two management clusters with pods: control planes of the one in the other, and clusters that move between them and back."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.bench.asking import asking
from lab.demo import Demo
from lab.servers import Authority, Etcd
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.e2e.conftest import VERSION, until
from tests.e2e.two_labs import Side, deployed, joined

pytestmark = pytest.mark.nightly

THERE, USER = "kamaji-tenants", "kamaji-external"
ACCESS = Path(__file__).parents[2] / "config" / "externalcluster" / "access.yaml"
SECRET = "other-cluster"
STORE, PORT = "outside", 31443
MACHINES = "machines.cluster.x-k8s.io,labmachines"


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    with joined() as both:
        yield both


@pytest.fixture
def here(sides: tuple[Side, Side]) -> Side:
    return sides[0]


@pytest.fixture
def there(sides: tuple[Side, Side]) -> Side:
    return sides[1]


# --- A19: pods there


@pytest.fixture
def access(here: Side, there: Side, namespace: str) -> Iterator[None]:
    """The other cluster's documented account, and its kubeconfig in a Secret here."""
    there.kubectl("apply", "-f", str(ACCESS))
    there.kubectl("-n", THERE, "wait", f"secret/{USER}", "--for=jsonpath={.data.token}", "--timeout=180s")
    token = there.kubectl("-n", THERE, "get", "secret", USER, "-o", "jsonpath={.data.token}")
    document = yaml.safe_load(there.lab.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": base64.b64decode(token).decode()}
    data = meta.secret_data({"value": yaml.safe_dump(document).encode()})
    here.kubectl("apply", "-f", "-", stdin=json.dumps(meta.new(kinds.SECRET, SECRET, namespace, data=data)))
    with deployed(CACPPK_EXTERNAL_CLUSTER_REFERENCE="true"):
        yield
    there.kubectl("delete", "-f", str(ACCESS), "--ignore-not-found", "--timeout=300s")  # a token goes with its account


def generated(name: str, namespace: str, workers: int) -> dict[str, Manifest]:
    """The cluster of the lab's template, by kind."""
    words = ["clusterctl", "generate", "cluster", name, "--infrastructure", "lab", "--kubernetes-version", VERSION]
    words += ["--target-namespace", namespace, f"--worker-machine-count={workers}", "--control-plane-machine-count=1"]
    made = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return {each["kind"]: each for each in yaml.safe_load_all(made)}


@pytest.mark.usefixtures("access")
def test_a19_a_control_plane_runs_in_the_other_cluster_and_serves_workers_here(
    here: Side, there: Side, namespace: str, tmp_path: Path
) -> None:
    objects = generated("far", namespace, workers=1)
    reference = {"kubeconfigSecretName": SECRET, "kubeconfigSecretKey": "value", "deploymentNamespace": THERE}
    objects["KamajiControlPlane"]["spec"]["deployment"] = {"externalClusterReference": reference}
    here.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects.values()))
    here.kubectl("-n", namespace, "wait", "cluster/far", "--for=condition=Available", "--timeout=600s")
    hosted = names.hosted_elsewhere(namespace, "far")
    demo = Demo(here.lab, tmp_path / "kubeconfig", "far")
    pods = ("pods", "-n", THERE, "-l", f"{names.LABEL_NAME}={hosted}")
    demo.milestone("its pod is there", lambda: len(there.found(*pods)) == 1)
    assert not here.found("pods,tenantcontrolplanes,deployments", "-n", namespace)
    kubeconfig = here.kubectl("-n", namespace, "get", "secret", "far-kubeconfig", "-o", "jsonpath={.data.value}")
    demo.kubeconfig.write_bytes(base64.b64decode(kubeconfig))
    assert str(there.lab.network().subnet[0]).rpartition(".")[0] in demo.tenant("cluster-info")
    demo.milestone("its worker is Ready", lambda: demo.settled(1))
    logs = ("-n", "kube-system", "logs", "daemonset/kube-proxy")
    demo.milestone("from there, a worker here is reached", lambda: "Node" in demo.tenant(*logs))
    here.kubectl("-n", namespace, "delete", "cluster", "far", "--wait=true", "--timeout=300s")
    demo.milestone("nothing of it is left there", lambda: not there.found("tenantcontrolplanes", "-n", THERE))


# --- A14: a move, and back


@pytest.fixture
async def store(here: Side, there: Side, tmp_path: Path) -> AsyncIterator[Etcd]:
    """An etcd outside both, and a DataStore of one name in both."""
    authority = Authority()
    etcd = Etcd(tmp_path / "etcd", authority=authority, address=here.address, addresses=frozenset({here.address}))
    etcd.start()
    async with EtcdStore([etcd.endpoint], authority.certificate, authority.client("root")) as opened:
        await opened.enable_auth()
    for side in (here, there):
        side.kubectl("apply", "-f", "-", stdin=json.dumps(datastore(authority, etcd.endpoint)))
    yield etcd
    for side in (here, there):
        side.kubectl("delete", "datastore", STORE, "--wait=true", "--timeout=300s")
    etcd.stop()


def datastore(authority: Authority, endpoint: str) -> Manifest:
    def said(content: bytes) -> dict[str, str]:
        return {"content": base64.b64encode(content).decode()}

    def pair(certificate: bytes, key: bytes) -> dict[str, Any]:
        return {"certificate": said(certificate), "privateKey": said(key)}

    client = authority.client("root")
    tls = {
        "certificateAuthority": pair(authority.certificate, authority.pair.key),
        "clientCertificate": pair(client.certificate, client.key),
    }
    return meta.new(kinds.DATA_STORE, STORE, spec={"driver": "etcd", "endpoints": [endpoint], "tlsConfig": tls})


@pytest.fixture
def endpoint(here: Side, there: Side) -> Iterator[dict[str, Any]]:
    """The Cluster's, at a balancer outside both, which leads to the one that has the tenant."""
    address = str(here.lab.network().gateway)
    netns = f"--net=/run/netns/{here.lab.network().bridge_netns}"
    words = [f"{each}:{PORT}" for each in (address, here.address, there.address)]
    command = ["nsenter", netns, sys.executable, "-m", "tests.e2e.outer_balancer", *words]
    with subprocess.Popen(command) as balancer:
        yield {"host": address, "port": PORT}
        balancer.kill()


@contextmanager
def named(here: Side, there: Side, name: str, namespace: str) -> Iterator[None]:
    """Whatever happens, the Cluster is gone from both afterwards."""
    try:
        yield
    finally:
        for side in (here, there):
            side.kubectl("-n", namespace, "delete", "cluster", name, "--ignore-not-found", "--timeout=300s")
        # What served there until it moved back is held for a while; nobody waits for that.
        there.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


def moved(source: Side, target: Side, namespace: str) -> None:
    ways = [f"--kubeconfig={source.lab.kubeconfig}", f"--to-kubeconfig={target.lab.kubeconfig}"]
    done = subprocess.run(
        ["clusterctl", "move", "-n", namespace, *ways], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr


async def running(tenant: Cluster) -> dict[str, tuple[str, int | str]]:
    """UIDs of the tenant's nodes and pods; since when the nodes are Ready, and how often containers were started again."""
    nodes, pods = await tenant.list(kinds.NODE), await tenant.list(kinds.POD)
    ready = {each["metadata"]["name"]: find(each["status"]["conditions"], "Ready") or {} for each in nodes}
    assert all(each.get("status") == "True" for each in ready.values()), ready
    since = {name: said["lastTransitionTime"] for name, said in ready.items()}
    counts = {
        each["metadata"]["name"]: sum(c["restartCount"] for c in each["status"].get("containerStatuses") or ())
        for each in pods
    }
    return {
        each["metadata"]["name"]: (each["metadata"]["uid"], (since | counts)[each["metadata"]["name"]])
        for each in (*nodes, *pods)
    }


def machines(side: Side, namespace: str) -> dict[str, str]:
    """The node of each Machine that runs, whose infrastructure object is ready."""
    ready = {
        each["metadata"]["name"]
        for each in side.found("labmachines", "-n", namespace)
        if (find((each.get("status") or {}).get("conditions"), "Ready") or {}).get("status") == "True"
    }
    found = [each for each in side.found("machines", "-n", namespace) if each["status"].get("phase") == "Running"]
    return {
        each["metadata"]["name"]: each["status"]["nodeRef"]["name"]
        for each in found
        if each["spec"]["infrastructureRef"]["name"] in ready
    }


async def have(side: Side, namespace: str, wanted: dict[str, str]) -> bool:
    return await asyncio.to_thread(machines, side, namespace) == wanted


def available(side: Side, namespace: str) -> None:
    side.kubectl("-n", namespace, "wait", "cluster/roams", "--for=condition=Available", "--timeout=600s")


def endpoints(side: Side, endpoint: str) -> None:
    patch = json.dumps({"spec": {"endpoints": [endpoint]}})
    side.kubectl("patch", "datastore", STORE, "--type=merge", "-p", patch)


async def test_a14_a_cluster_moves_with_its_machines_and_pods_and_comes_back_once_its_store_is_reached(
    here: Side, there: Side, store: Etcd, endpoint: dict[str, Any], namespace: str
) -> None:
    objects = generated("roams", namespace, workers=1)
    objects["Cluster"]["spec"]["controlPlaneEndpoint"] = endpoint
    objects["KamajiControlPlane"]["spec"] |= {"dataStoreName": STORE, "network": {"serviceType": "NodePort"}}
    with named(here, there, "roams", namespace):
        here.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects.values()))
        available(here, namespace)
        secret = here.kubectl("-n", namespace, "get", "secret", "roams-kubeconfig", "-o", "jsonpath={.data.value}")
        kubeconfig = base64.b64decode(secret)
        tenant = await connect.from_kubeconfig(kubeconfig)
        try:
            await tenant.apply(meta.new(kinds.CONFIG_MAP, "kept", "default", data={"said": "before"}), manager="e2e")
            before, had = await settled(tenant), machines(here, namespace)
            assert set(had.values()) == {each["metadata"]["name"] for each in await tenant.list(kinds.NODE)}
            async with asking(kubeconfig) as answers:
                await asyncio.to_thread(moved, here, there, namespace)
                await asyncio.to_thread(available, there, namespace)
                assert not here.found(f"clusters.cluster.x-k8s.io,tenantcontrolplanes,{MACHINES}", "-n", namespace)
                await until(lambda: have(there, namespace, had), "its machines run on, there")
                await until(lambda: none_here(here, namespace), "what served here has gone")
                assert await until(lambda: running(tenant), "nodes and pods are told of") == before
                await asyncio.to_thread(back, here, there, store, namespace)
                await until(lambda: have(here, namespace, had), "its machines run on, here again")
                assert await until(lambda: running(tenant), "nodes and pods are told of") == before
            answers.faultless()
            kept = await until(lambda: tenant.get(kinds.CONFIG_MAP, "kept", "default"), "what it knew is there")
            assert (kept or {})["data"] == {"said": "before"}
        finally:
            await tenant.close()


def back(here: Side, there: Side, store: Etcd, namespace: str) -> None:
    """First to a place that does not reach the store: refused with the reason, and begun as soon as it does."""
    endpoints(here, f"{here.address}:1")
    here.kubectl("wait", f"datastore/{STORE}", "--for=condition=Ready=false", "--timeout=300s")
    moved(there, here, namespace)
    refused = ("tenantcontrolplane/roams", "--for=condition=StorageReady=false", "--timeout=300s")
    here.kubectl("-n", namespace, "wait", *refused)
    said = "jsonpath={.status.conditions[?(@.type=='StorageReady')].message}"
    assert STORE in here.kubectl("-n", namespace, "get", refused[0], "-o", said)
    assert not here.found("deployments", "-n", namespace), "it is not begun without its store"
    endpoints(here, store.endpoint)
    available(here, namespace)


async def none_here(here: Side, namespace: str) -> bool:
    return not await asyncio.to_thread(here.found, "pods,deployments,services", "-n", namespace)


async def settled(tenant: Cluster) -> dict[str, tuple[str, int | str]]:
    """What runs, once all does."""

    async def all_ready() -> bool:
        pods = await tenant.list(kinds.POD)
        states = [each for pod in pods for each in pod["status"].get("containerStatuses") or ({"ready": False},)]
        return len(pods) >= 2 and all(each["ready"] for each in states)

    await until(all_ready, "the tenant's pods are ready")
    return await running(tenant)
