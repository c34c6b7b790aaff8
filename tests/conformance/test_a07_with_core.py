"""A7, A11 and A17 with Cluster API's own core, kubeadm bootstrap provider and clusterctl: the tenant is the very API server."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lab import capi_repository, programs
from lab.infrastructure import kinds as lab_kinds
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.manifest import meta
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
