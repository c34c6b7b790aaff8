"""A management cluster's API server with Cluster API's kinds, ours, and those of all infrastructure providers; and its core."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from lab import capi_repository
from lab.servers import ApiServer, Etcd, Process, free_ports
from provider.api import kinds
from tests.integration.plain_rest import Rest
from tests.integration.templates.provider_kinds import Manifest, documents, labelled, providers

CONFIG = Path(__file__).parents[3] / "config" / "crd"
CORE = ("core/config/crd/bases", "bootstrap/kubeadm/config/crd/bases")
PATIENCE = 300.0  # seconds; a bound against hanging for ever
CONTRACTS = {"v1beta1": "v1beta1", "v1beta2": "v1beta2"}


def cluster_api() -> list[Manifest]:
    """Cluster API's own CRDs, as its release labels them."""
    files = [
        file for folder in CORE for file in sorted((capi_repository.module("cluster-api") / folder).glob("*.yaml"))
    ]
    return [labelled(each, CONTRACTS) for file in files for each in documents(file.read_text())]


@pytest.fixture(scope="session")
def kinds_of_all(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path_factory.mktemp("templates"), plain_etcd, prefix="/templates").start()
    ours = [each for file in sorted(CONFIG.glob("*.yaml")) for each in documents(file.read_text())]
    crds = [*cluster_api(), *ours, *(each for provider in providers() for each in provider.crds())]
    with ThreadPoolExecutor(8) as senders:
        for status, said in senders.map(Rest(server).post, crds):
            assert status == 201, said.get("message")
    until_established(Rest(server))
    yield server
    server.stop()


def until_established(api: Rest) -> None:
    """Until every CRD is served. One list for all, since `kubectl wait` asks for each by itself."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = api.get(kinds.CUSTOM_RESOURCE_DEFINITION)[1]["items"]
        late = [each["metadata"]["name"] for each in found if not standing(each, "Established")]
        if not late:
            return
        assert time.monotonic() < deadline, late
        time.sleep(0.5)


def standing(manifest: Manifest, condition: str) -> bool:
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


@pytest.fixture(scope="session")
def core(kinds_of_all: ApiServer) -> Iterator[ApiServer]:
    """The same with Cluster API's core manager at work."""
    server, (webhooks, health, metrics) = kinds_of_all, free_ports(3)
    folder = server.folder / "core"
    folder.mkdir()
    pair = server.authority.server("core")
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)
    process = Process("capi-core", folder)
    flags = [
        *(f"--kubeconfig={server.folder / 'kubeconfig'}", "--feature-gates=ClusterTopology=true"),
        *(f"--webhook-port={webhooks}", f"--webhook-cert-dir={folder}", f"--health-addr=127.0.0.1:{health}"),
        *(
            f"--diagnostics-address=127.0.0.1:{metrics}",
            "--insecure-diagnostics",
            "--skip-crd-migration-phases=StorageVersionMigration,CleanupManagedFields",
        ),
    ]
    process.start(flags, lambda: _healthy(health))
    yield server
    process.stop()


def _healthy(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
