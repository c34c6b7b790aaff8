"""What a joining worker finds in a tenant is what the real kubeadm of its minor writes, but for the differences named here.

`kubeadm init phase upload-config all`, `bootstrap-token` and `addon all` of every minor that we host, each as its own program,
against a real API server; then our parts for a tenant of the same settings, and field by field what differs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest

from lab.servers import ApiServer, Etcd
from provider.hosting import versions
from tests.integration.real_kubeadm import Compared, Release, differences, releases

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="kubeadm's --rootfs changes root, which only root may")
ALL = tuple(f"1.{each}" for each in versions.MINORS)
KUBELET, PROXY = "ConfigMap kubelet-config/data/kubelet", "ConfigMap kube-proxy/data/config.conf"
CLUSTER = "ConfigMap kubeadm-config/data/ClusterConfiguration"
COREDNS = "Deployment coredns/spec/template/spec/containers/coredns"


@dataclass(frozen=True)
class Difference:
    """Paths (with * for anything), and why we do otherwise there. In every minor named it is really found."""

    paths: tuple[str, ...]
    reason: str
    minors: tuple[str, ...] = ALL


ZERO = ("", "0", "0s", 0, False)
UNSET = "kubeadm writes the zero value, which its reader takes for its own default; we leave the field out"
ON_PURPOSE = (
    Difference((f"{KUBELET}/*TTL",), UNSET),
    Difference(
        tuple(f"{KUBELET}/{each}" for each in ("*Period*", "*Frequency", "*GCAge", "*Timeout", "logging/*")), UNSET
    ),
    Difference((f"{KUBELET}/containerRuntimeEndpoint",), "empty at kubeadm's: each node's join sets its own"),
    Difference(
        ("ConfigMap ku*/metadata/annotations/kubeadm.kubernetes.io/component-config.hash",),
        "marks what `kubeadm upgrade` may write anew; here that is our work alone",
    ),
    Difference(
        tuple(f"{CLUSTER}/{each}" for each in ("*alidityPeriod", "encryptionAlgorithm")),
        "for certificates that kubeadm would make; a hosted control plane's are not its business",
    ),
    Difference(
        (f"{CLUSTER}/etcd/*",),
        "an etcd on the node is not there to be found; the store's address is none of its business",
    ),
    Difference(
        ("ClusterRoleBinding kubeadm:cluster-admins",),
        "kubeadm makes it when it first uses admin.conf, in no phase of its own",
    ),
    Difference(
        ("ClusterRoleBinding kubeadm:apiserver-kubelet-client",),
        "these kubeadms put the API server's client into the administrators' group; ours is bound to what it needs",
        ("1.34", "1.35"),
    ),
    Difference(
        (
            f"{COREDNS}/livenessProbe/httpGet/port",
            f"{COREDNS}/readinessProbe/httpGet/port",
            f"{COREDNS}/ports/*ness-probe/*",
        ),
        "the same ports, by number instead of by name",
        ("1.33",),
    ),
    Difference((f"{PROXY}/mode",), "nftables scales with the number of Services (KEP-3866); an annotation chooses"),
    Difference(
        tuple(f"{PROXY}/conntrack/{each}" for each in ("maxPerCore", "min", "tcp*Timeout")),
        "zero keeps the kernel's own: a node may be a container that cannot change them",
    ),
    Difference(
        tuple(
            f"{PROXY}/{each}"
            for each in (
                *("bindAddressHardFail", "clientConnection/*", "configSyncPeriod", "conntrack/tcpBeLiberal"),
                *("conntrack/udp*", "detectLocal*", "enableProfiling", "healthzBindAddress", "hostnameOverride"),
                *("iptables/*", "ipvs/*", "logging/*", "metricsBindAddress", "nftables/*", "portRange"),
                *("showHiddenMetricsForVersion", "winkernel/*"),
            )
        ),
        UNSET,
    ),
    Difference(
        ("DaemonSet kube-proxy/spec/template/metadata/annotations/kamaji.clastix.io/checksum",),
        "a new configuration reaches the pods; kubeadm leaves them with the old one",
    ),
    Difference(
        (
            "DaemonSet kube-proxy/spec/template/spec/containers/kube-proxy/volumeMounts/kube-proxy/readOnly",
            "DaemonSet kube-proxy/spec/template/spec/volumes/kube-proxy/configMap/items/*",
        ),
        "the same two files, read-only",
    ),
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[Compared]:
    folder = tmp_path_factory.mktemp("kubeadm")
    server = ApiServer(folder / "server", plain_etcd, prefix="/kubeadm-phases").start()
    yield Compared(server, folder)
    server.stop()


def test_there_is_a_kubeadm_of_every_minor_that_we_host() -> None:
    assert tuple(each.minor for each in releases()) == ALL


@pytest.mark.keeps("better.kubelet-config")
@pytest.mark.parametrize("release", releases(), ids=str)
def test_a_tenant_holds_what_the_real_kubeadm_of_its_minor_writes(compared: Compared, release: Release) -> None:
    found = differences(compared.theirs(release), compared.ours(release))
    allowed = {path: each.reason for each in ON_PURPOSE if release.minor in each.minors for path in each.paths}
    unexplained = {path: values for path, values in found.items() if not explained(allowed, path, values)}
    assert not unexplained, "(kubeadm's, ours)"
    stale = [pattern for pattern in allowed if not any(fnmatchcase(path, pattern) for path in found)]
    assert not stale, "no longer differs"


def explained(allowed: dict[str, str], path: str, values: tuple[Any, Any]) -> bool:
    theirs, ours = values
    for pattern, reason in allowed.items():
        if fnmatchcase(path, pattern):
            return reason is not UNSET or (theirs in ZERO and ours is None)
    return False


def test_a_difference_is_seen(compared: Compared) -> None:
    """The comparison itself: an image of another minor does not pass."""
    older, newer = releases()[0], releases()[-1]
    found = differences(compared.ours(older), compared.ours(newer))
    assert found["Deployment coredns/spec/template/spec/containers/coredns/image"] == (
        f"registry.k8s.io/coredns/coredns:{versions.of(older.version).coredns}",
        f"registry.k8s.io/coredns/coredns:{versions.of(newer.version).coredns}",
    )
    assert f"{CLUSTER}/kubernetesVersion" in found
