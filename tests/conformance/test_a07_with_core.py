"""A7, A11 and A17 with Cluster API's own core, kubeadm bootstrap provider and clusterctl: the tenant is the very API server."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lab import capi_repository, programs
from lab.infrastructure import kinds as lab_kinds
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.conformance import core
from tests.conformance.core import until
from tests.conformance.world import VERSION, World

KUBEADM_CONFIG = Kind("bootstrap.cluster.x-k8s.io/v1beta2", "KubeadmConfig", "kubeadmconfigs")


async def test_a7_core_reaches_the_tenant_by_our_kubeconfig_and_finds_the_cluster_available(with_core: World) -> None:
    await core.born(with_core)
    await core.says(with_core, "RemoteConnectionProbe")
    await core.says(with_core, "ControlPlaneAvailable")
    await core.says(with_core, "Available")
    found = await core.cluster(with_core)
    assert found["spec"]["controlPlaneEndpoint"] == (await with_core.kcp())["spec"]["controlPlaneEndpoint"]
    assert found["status"]["phase"] == "Provisioned"
    told = found["status"]["controlPlane"]
    counts = ("desiredReplicas", "replicas", "readyReplicas", "availableReplicas", "upToDateReplicas")
    assert [told[each] for each in counts] == [2] * 5
    assert told["versions"] == [{"version": VERSION, "replicas": 2}]
    for each in ("ControlPlaneAvailable", "RollingOut", "ScalingUp", "ScalingDown", "Deleting", "Paused"):
        assert find(found["status"]["conditions"], each) is not None
    # What core says of the control plane follows it.
    await with_core.host(ready=False, phase="NotReady", numbers=(2, 2, 0))
    await core.says(with_core, "ControlPlaneAvailable", "False")


async def test_a7_what_we_say_of_the_control_plane_core_says_of_the_cluster_in_our_words(with_core: World) -> None:
    await core.born(with_core)
    await core.says(with_core, "ControlPlaneAvailable")
    endpoint = (await core.cluster(with_core))["spec"]["controlPlaneEndpoint"]

    async def copied(**hosted: Any) -> None:
        """Core's copy of our status, once the hosting room says this."""
        await with_core.host(**hosted)

        async def so() -> bool:
            await with_core.reconcile()
            ours, theirs = await with_core.kcp(), (await core.cluster(with_core))["status"]
            said = ("Available", "RollingOut", "ScalingUp", "ScalingDown")
            return copies(ours) == theirs["controlPlane"] and all(
                mirrored(ours["status"], theirs, each) for each in said
            )

        try:
            await until(so, f"core's copy of {hosted}")
        except AssertionError as error:
            ours, theirs = await with_core.status(), (await core.cluster(with_core))["status"]
            raise AssertionError(f"{error}: {ours} and {theirs}") from error

    await copied(ready=False, phase="NotReady", numbers=(2, 2, 0))
    await copied()
    with_core.kubectl("scale", "ktcp/kcp", "--replicas=5")
    await with_core.reconcile()
    await copied()
    assert told((await core.cluster(with_core))["status"], "ScalingUp")[0] == "True"
    await copied(numbers=(5, 5, 5))
    await with_core.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": "v1.37.1"}})
    await with_core.reconcile()
    await copied(version=VERSION, phase="Upgrading", numbers=(7, 2, 6))
    found = (await core.cluster(with_core))["status"]
    assert told(found, "RollingOut")[0] == "True"
    assert [each["version"] for each in found["controlPlane"]["versions"]] == [VERSION, "v1.37.1"]
    await copied(version="v1.37.1", numbers=(5, 5, 5))
    with_core.kubectl("scale", "ktcp/kcp", "--replicas=0")
    await with_core.reconcile()
    await copied(version="v1.37.1", numbers=(5, 5, 5))
    assert told((await core.cluster(with_core))["status"], "ScalingDown")[0] == "True"
    # Core keeps what is left out: so a control plane that sleeps says that it has none.
    await copied(version="v1.37.1", phase="Sleeping", ready=False, numbers=(0, 0, 0), endpoint="192.0.2.1:6443")
    found = await core.cluster(with_core)
    assert found["status"]["controlPlane"]["replicas"] == 0
    assert found["spec"]["controlPlaneEndpoint"] == endpoint  # the first one won
    assert found["status"]["initialization"]["controlPlaneInitialized"] is True


def copies(ours: Manifest) -> dict[str, Any]:
    """What core has of a control plane's spec and status in the Cluster's status."""
    counts = ("replicas", "readyReplicas", "availableReplicas", "upToDateReplicas", "versions")
    return {"desiredReplicas": ours["spec"]["replicas"]} | {each: ours["status"][each] for each in counts}


def told(status: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Status and message of a condition."""
    found = find(status.get("conditions"), kind) or {}
    return found.get("status", ""), found.get("message", "")


def mirrored(ours: Mapping[str, Any], theirs: Mapping[str, Any], kind: str) -> bool:
    """Whether core says the same, with the control plane's name before our message, or words of its own where there is none."""
    (status, message), (copy, words) = told(ours, kind), told(theirs, COPIED.get(kind, kind))
    return status == copy and message in words


COPIED = {"Available": "ControlPlaneAvailable"}
"""What core calls otherwise."""


async def test_a11_the_kubeadm_bootstrap_provider_writes_join_data_that_trusts_our_authority(with_core: World) -> None:
    await core.born(with_core)
    await with_core.apply(KUBEADM_CONFIG, "w", spec={"joinConfiguration": {"nodeRegistration": {"name": "w"}}})
    await with_core.apply(lab_kinds.LAB_MACHINE, "w", spec={})
    infrastructure = {"apiGroup": lab_kinds.GROUP, "kind": "LabMachine", "name": "w"}
    bootstrap = {"configRef": {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfig", "name": "w"}}
    machine = {"clusterName": "c", "version": VERSION, "bootstrap": bootstrap, "infrastructureRef": infrastructure}
    await with_core.apply(lab_kinds.MACHINE, "w", spec=machine)

    async def written() -> bool:
        return await with_core.get(kinds.SECRET, "w") is not None

    await until(written, "bootstrap data")
    data = meta.decoded(await with_core.secret("w"))["value"].decode()
    cloud = yaml.safe_load(data)
    files = {each["path"]: each["content"] for each in cloud["write_files"]}
    (join,) = (text for path, text in files.items() if path.endswith("kubeadm-join-config.yaml"))
    token = next(each for each in yaml.safe_load_all(join) if each["kind"] == "JoinConfiguration")["discovery"][
        "bootstrapToken"
    ]
    assert token["apiServerEndpoint"] == with_core.server.url.removeprefix("https://")
    assert token["caCertHashes"] == [pinned(with_core.server.authority.certificate)]
    identity = token["token"].partition(".")[0]
    there = await with_core.everybody.get(kinds.SECRET, f"bootstrap-token-{identity}", "kube-system")
    assert there is not None  # written through our kubeconfig
    assert there["type"] == "bootstrap.kubernetes.io/token"


def pinned(authority: bytes) -> str:
    """As kubeadm names a CA: by its public key."""
    key = x509.load_pem_x509_certificate(authority).public_key()
    return f"sha256:{hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()}"


def clusterctl(world: World, config: Path, *arguments: str) -> str:
    """Without the network: nothing but the repository and the API server is asked."""
    offline = {"CLUSTERCTL_DISABLE_VERSIONCHECK": "true", "GOPROXY": "off", "XDG_CONFIG_HOME": str(config.parent)}
    command = [programs.path("clusterctl"), *arguments, f"--config={config}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **offline})
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a17_clusterctl_describes_the_control_plane_and_gets_its_kubeconfig_offline(
    with_core: World, tmp_path: Path
) -> None:
    await core.born(with_core)
    await core.says(with_core, "Available")
    config = capi_repository.build(tmp_path, programs.path("kubectl"))
    access = ("--namespace", with_core.namespace, f"--kubeconfig={with_core.server.folder / 'kubeconfig'}")
    shown = clusterctl(with_core, config, "describe", "cluster", "c", "--color=false", *access)
    row = next(line for line in shown.splitlines() if "KamajiControlPlane" in line)
    assert row.split("2/2")[1].split()[:3] == ["2", "2", "2"], row  # available, ready, up to date
    assert "Available" in row, row
    handed = clusterctl(with_core, config, "get", "kubeconfig", "c", *access)
    assert handed.strip() == meta.decoded(await with_core.secret("c-kubeconfig"))["value"].decode().strip()


async def test_a17_clusterctl_finds_our_release_in_a_local_repository(with_core: World, tmp_path: Path) -> None:
    config = capi_repository.build(tmp_path, programs.path("kubectl"))
    described = clusterctl(with_core, config, "generate", "provider", "--control-plane", "kamaji:v0.1.0", "--describe")
    assert "kamaji" in described
    assert "CACPPK_KUBEADM_BOOTSTRAP_SA_NAMESPACE" in described
    text = clusterctl(with_core, config, "generate", "provider", "--control-plane", "kamaji:v0.1.0")
    found = [each for each in yaml.safe_load_all(text) if each]
    assert {each["metadata"]["labels"]["cluster.x-k8s.io/provider"] for each in found} == {"control-plane-kamaji"}
    bindings = [each for each in found if each["metadata"]["name"] == "kamaji-bootstrap-reader"]
    subjects = [each["subjects"][0] for each in bindings if each["kind"] == "ClusterRoleBinding"]
    assert [each["kind"] for each in subjects] == ["User"]  # clusterctl rewrites the namespace of accounts
    assert names.CONTROL_PLANE_GROUP in text
