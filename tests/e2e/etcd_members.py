"""An etcd as somebody else runs it: three members and one for events, each with a certificate for its own name alone.

It is what config/samples/etcd.yaml and data-store-overrides.yaml expect to find: names of hosts and of Secrets are theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import yaml

from lab import images
from provider.api import kinds
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import Manifest, meta, x509
from provider.manifest.x509 import Pair, Request
from tests.e2e.conftest import kubectl

NAMESPACE = "etcd-system"
SETS = {"etcd": 3, "etcd-events": 1}
IMAGE = next(each["name"] for each in images.document()["image"] if each["name"].startswith("quay.io/coreos/etcd:"))
MINT, NOW = RandomMint(), datetime.now(UTC)


@contextmanager
def running() -> Iterator[None]:
    """From when they answer with auth on until they are told to go."""
    ca = x509.authority("etcd", MINT, NOW)
    root = x509.issue(Request(common_name="root", client=True), ca, MINT, NOW)
    kubectl("create", "namespace", NAMESPACE)
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(_manifests(ca, root)))
        for each in SETS:
            kubectl("rollout", "status", "-n", NAMESPACE, f"statefulset/{each}", "--timeout=300s")
        asyncio.run(_with_auth(ca, root))
        yield
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


async def _with_auth(ca: Pair, root: Pair) -> None:
    for name in SETS:
        async with EtcdStore([f"{each}:2379" for each in _hosts(name).values()], ca.certificate, root) as store:
            await store.enable_auth()


def _hosts(name: str) -> dict[str, str]:
    """Hosts by the names of members."""
    members = [f"{name}-{number}" for number in range(SETS[name])]
    return {each: f"{each}.{name}.{NAMESPACE}.svc.cluster.local" for each in members}


def _manifests(ca: Pair, root: Pair) -> Iterator[Manifest]:
    yield _secret("etcd-ca", {"ca.crt": ca.certificate, "ca.key": ca.key})
    yield _secret("etcd-root-client", {"tls.crt": root.certificate, "tls.key": root.key})
    for name in SETS:
        files = {"ca.crt": ca.certificate}
        for member, host in _hosts(name).items():
            own = x509.issue(Request(common_name=member, names=frozenset({host}), server=True), ca, MINT, NOW)
            files |= {f"{member}.crt": own.certificate, f"{member}.key": own.key}
        yield _secret(name, files)
        ports = {"ports": [{"name": "client", "port": 2379}, {"name": "peer", "port": 2380}]}
        found = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"app": name}, **ports}
        yield meta.new(kinds.SERVICE, name, NAMESPACE, spec=found)
        yield meta.new(kinds.STATEFUL_SET, name, NAMESPACE, spec=_stateful_set(name))


def _secret(name: str, files: Mapping[str, bytes]) -> Manifest:
    return meta.new(kinds.SECRET, name, NAMESPACE, type="Opaque", data=meta.secret_data(files))


def _stateful_set(name: str) -> dict[str, Any]:
    host = f"$(NAME).{name}.{NAMESPACE}.svc.cluster.local"
    peers = ",".join(f"{member}=http://{each}:2380" for member, each in _hosts(name).items())
    container = {
        "name": "etcd",
        "image": IMAGE,
        "command": ["etcd"],
        "args": [
            *("--name=$(NAME)", "--data-dir=/data/etcd", "--unsafe-no-fsync", "--enable-grpc-gateway=false"),
            *(f"--initial-cluster={peers}", f"--initial-advertise-peer-urls=http://{host}:2380"),
            *("--listen-peer-urls=http://0.0.0.0:2380", "--listen-client-urls=https://0.0.0.0:2379"),
            *(f"--advertise-client-urls=https://{host}:2379", "--listen-metrics-urls=http://0.0.0.0:2381"),
            *("--client-cert-auth", "--trusted-ca-file=/certs/ca.crt"),
            *("--cert-file=/certs/$(NAME).crt", "--key-file=/certs/$(NAME).key"),
        ],
        "env": [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 2381}, "periodSeconds": 1},
        "volumeMounts": [{"name": "certs", "mountPath": "/certs"}, {"name": "data", "mountPath": "/data"}],
    }
    volumes = [{"name": "certs", "secret": {"secretName": name}}, {"name": "data", "emptyDir": {}}]
    pod = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    return {
        "serviceName": name,
        "replicas": SETS[name],
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    }
