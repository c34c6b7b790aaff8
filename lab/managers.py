"""Other people's controller managers as plain processes: Cluster API's own, and those of infrastructure providers.

Each beside an API server without pods, with the kinds, the webhooks and the rights of its own release and no others: what a
Service would be asked for, the process is; what makes a role of others is the real kube-controller-manager. For the conformance
ring of the tests, and for `lab.bench.scale`.
"""

from __future__ import annotations

import base64
import copy
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import capi_repository, programs
from lab.servers import ApiServer, ControllerManager, Process, free_ports, listens
from provider.manifest import Manifest

TREES = ("core/config/crd/bases", "bootstrap/kubeadm/config/crd/bases", "cmd/clusterctl/config/crd/bases")
CONTRACT = "cluster.x-k8s.io/v1beta2=v1beta2"  # kustomize would say it; what is served is read in this version alone
OWN = ("capi-core", "capi-kubeadm-bootstrap")
TOPOLOGY = "--feature-gates=ClusterTopology=true"
AGGREGATION, COLLECTION = "clusterrole-aggregation-controller", "garbage-collector-controller"
CRD = "CustomResourceDefinition"
HOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
RIGHTS = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
PATIENCE = 60.0  # seconds; a bound against hanging for ever


@dataclass(frozen=True)
class Manager:
    """A controller manager as a process, and the port on which its webhooks answer, whoever calls them."""

    process: Process
    webhooks: int

    def stop(self) -> None:
        """As a power cut would."""
        self.process.stop()


def kinds(server: ApiServer) -> None:
    """Cluster API's kinds, served when this returns."""
    trees = [capi_repository.module("cluster-api") / each for each in TREES]
    server.kubectl("apply", "--server-side", *(f"--filename={each}" for each in trees))
    files = [file for tree in trees for file in sorted(tree.glob("*.yaml"))]
    server.kubectl("label", "crd", *(yaml.safe_load(each.read_text())["metadata"]["name"] for each in files), CONTRACT)
    established(server)


def established(server: ApiServer) -> None:
    """All kinds are served when this returns."""
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


@contextmanager
def controlling(server: ApiServer, *controllers: str) -> Iterator[None]:
    """As long as the block: these controllers of Kubernetes, and that which makes roles of others."""
    manager = ControllerManager(server, ",".join((AGGREGATION, *controllers))).start()
    try:
        yield
    finally:
        manager.stop()


@contextmanager
def cluster_api(server: ApiServer, *, webhooks: bool) -> Iterator[None]:
    """Cluster API's core and its kubeadm bootstrap provider. Users' templates count on what their webhooks fill in."""
    with ExitStack() as stack:
        for program, row in zip(OWN, capi_repository.upstream(), strict=True):
            components = _documents(capi_repository.rendered(row, programs.path("kubectl")))
            manager = _started(server, program, components, TOPOLOGY)
            stack.callback(manager.stop)
            if webhooks:
                _install(server, components, manager.webhooks, HOOKS)
        yield


@contextmanager
def infrastructure(server: ApiServer, program: str, tree: str, *flags: str) -> Iterator[Manager]:
    """An infrastructure provider of programs.toml, with its CRDs; `tree`: the kustomize tree of its release in its module."""
    folder = programs.source(programs.module_of(program).name) / tree
    command: list[str | Path] = [programs.path("kubectl"), "kustomize", folder]
    components = _documents(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    _install(server, components, 0, (CRD,))
    established(server)
    manager = _started(server, program, components, *flags)
    try:
        _install(server, components, manager.webhooks, (CRD, *HOOKS))
        yield manager
    finally:
        manager.stop()


def _started(server: ApiServer, program: str, components: Sequence[Manifest], *flags: str) -> Manager:
    """One with the flags that Cluster API's managers share, and these, as the account that its components name."""
    folder = server.folder / program
    folder.mkdir()
    access = _account(server, folder, components)
    pair = server.authority.server("localhost")
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)
    webhooks, health, diagnostics = free_ports(3)
    process = Process(program, folder)
    shared = [
        *(f"--kubeconfig={access}", "--leader-elect=false", f"--webhook-cert-dir={folder}"),
        *(f"--webhook-port={webhooks}", f"--health-addr=127.0.0.1:{health}", "--insecure-diagnostics"),
        f"--diagnostics-address=127.0.0.1:{diagnostics}",
        "--skip-crd-migration-phases=StorageVersionMigration,CleanupManagedFields",
    ]
    process.start([*shared, *flags], lambda: listens(health) and listens(webhooks))
    return Manager(process, webhooks)


def ours(server: ApiServer) -> None:
    """The rights that this provider's release gives itself and others."""
    text = (capi_repository.PROJECT / "clusterctl" / "control-plane-components.yaml").read_text()
    _entitled(server, server.folder, _documents(re.sub(r"\$\{\w+:=([^}]*)\}", r"\1", text)))


def _entitled(server: ApiServer, folder: Path, components: Sequence[Manifest]) -> None:
    file = folder / "rights.yaml"
    file.write_text(yaml.safe_dump_all([each for each in components if each["kind"] in RIGHTS]))
    server.kubectl("apply", "--server-side", f"--filename={file}")


def _account(server: ApiServer, folder: Path, components: Sequence[Manifest]) -> Path:
    """A kubeconfig of the account of the components' Deployment, once it has the rights that they give it."""
    _entitled(server, folder, components)
    for each in components:
        if "aggregationRule" in each:
            _aggregated(server, each["metadata"]["name"])
    (deployment,) = [each for each in components if each["kind"] == "Deployment"]
    namespace = deployment["metadata"]["namespace"]
    account = deployment["spec"]["template"]["spec"].get("serviceAccountName", "default")
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    access = folder / "kubeconfig"
    access.write_bytes(server.kubeconfig(f"system:serviceaccount:{namespace}:{account}", *groups))
    return access


def _aggregated(server: ApiServer, role: str) -> None:
    """Until it says anything."""
    deadline = time.monotonic() + PATIENCE
    while not server.kubectl("get", "clusterrole", role, "--output=jsonpath={.rules[*].verbs}").stdout.strip():
        assert time.monotonic() < deadline, f"nobody has made {role} of the roles that it is made of"
        time.sleep(0.1)


def _install(server: ApiServer, components: Sequence[Manifest], port: int, wanted: tuple[str, ...]) -> None:
    """Apply those kinds of the components. What calls a Service calls this port; nobody is called on port 0."""
    found = [copy.deepcopy(each) for each in components if each["kind"] in wanted]
    for each in found:
        _called(each, server.authority.certificate, port)
    file = server.folder / "components.yaml"
    file.write_text(yaml.dump_all(found, Dumper=yaml.CSafeDumper))
    server.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={file}")


def _called(manifest: Manifest, authority: bytes, port: int) -> None:
    """Lead what leads to the manager's Service to its port."""
    if manifest["kind"] == CRD:
        conversion = manifest["spec"].get("conversion") or {}
        if port == 0:
            manifest["spec"]["conversion"] = {"strategy": "None"}
        elif "webhook" in conversion:
            conversion["webhook"]["clientConfig"] = _by_address(conversion["webhook"]["clientConfig"], authority, port)
    for each in manifest.get("webhooks") or ():
        each["clientConfig"] = _by_address(each["clientConfig"], authority, port)


def _by_address(config: dict[str, Any], authority: bytes, port: int) -> dict[str, Any]:
    url = f"https://127.0.0.1:{port}{config['service']['path']}"
    return {"url": url, "caBundle": base64.b64encode(authority).decode()}


def _documents(text: str) -> list[Manifest]:
    """All of a YAML stream; by the C parser, for CRDs are long."""
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]
