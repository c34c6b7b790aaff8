"""What a minor's own kubeadm writes into a cluster, and what our parts write there: read back and told apart, field by field.

kubeadm runs with `--rootfs`, in a folder that looks like a control-plane machine: nothing of the host is read or written.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from lab import programs
from lab.servers import MINT, PATIENCE, ApiServer
from provider.api import kinds, names
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.hosting.desired import kubeadm
from provider.hosting.desired.addons import coredns, kubeproxy
from provider.hosting.view import Seen, View
from provider.manifest import Manifest, meta
from provider.settings import Settings

Key = tuple[str, str, str]
Objects = dict[Key, Manifest]
PHASES = (("upload-config", "all"), ("bootstrap-token",), ("addon", "all"))
KINDS = "configmaps,serviceaccounts,services,deployments,daemonsets,roles,rolebindings,clusterroles,clusterrolebindings"
SERVICES, PODS, DOMAIN = "10.0.0.0/24", "10.244.0.0/16", "cluster.local"
TENANT, NODE = "compared", "first"
RUNTIME = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
# What the API server gives by itself, whoever writes the object.
LATE = (("ConfigMap", "kube-system", "extension-apiserver-authentication"), ("Service", "default", "kubernetes"))
BY_SERVER = ("kube-root-ca.crt", "kube-apiserver-legacy-service-account-token-tracking")


@dataclass(frozen=True)
class Release:
    """A minor and the patch whose kubeadm the lab builds."""

    minor: str
    version: str
    program: str

    def __str__(self) -> str:
        return self.version


def releases() -> list[Release]:
    """Every kubeadm of programs.toml, oldest first."""
    found = []
    for module in programs.modules().values():
        minor = ".".join(module.version.removeprefix("v").split(".")[:2])
        found += [
            Release(minor, module.version, each) for each in module.programs if each in ("kubeadm", f"kubeadm-{minor}")
        ]
    return sorted(found, key=lambda each: each.version)


@dataclass
class Compared:
    """One API server on which both write in turn; what was written is read, then taken away again."""

    server: ApiServer
    folder: Path
    before: Objects = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._apply(meta.new(kinds.NODE, NODE, labels={"kubernetes.io/hostname": NODE}))  # older kubeadms annotate it
        deadline = time.monotonic() + PATIENCE
        while not (found := self._all()).keys() >= {*LATE}:  # what a server makes after it has said that it is ready
            assert time.monotonic() < deadline, found.keys()
            time.sleep(0.2)
        self.before = found

    def theirs(self, release: Release) -> Objects:
        """What the real kubeadm of this release writes."""
        root = self._machine(release)
        for phase in PHASES:
            command = [programs.path(release.program), "init", "phase", *phase, f"--rootfs={root}"]
            files = ["--config=/etc/kubernetes/kubeadm.yaml", "--kubeconfig=/etc/kubernetes/loopback.conf"]
            done = subprocess.run([*command, *files], capture_output=True, timeout=180, check=False)
            assert done.returncode == 0, f"{release} {' '.join(phase)}: {done.stderr.decode()}"
        return self._taken()

    def ours(self, release: Release) -> Objects:
        """What our parts write for a tenant of the same settings."""
        view = self.view(release)
        self._apply(*(each for part in (kubeadm, coredns, kubeproxy) for each in part.build(view)))
        return self._taken()

    def view(self, release: Release) -> View:
        """A tenant of this version whose API server is ours."""
        raw = meta.new(
            kinds.TENANT_CONTROL_PLANE,
            TENANT,
            "tenants",
            spec={
                "kubernetes": {"version": release.version, "kubelet": {}},
                "controlPlane": {"service": {"serviceType": "ClusterIP"}},
                "networkProfile": {
                    "address": "127.0.0.1",
                    "port": self.server.port,
                    "serviceCidrs": [SERVICES],
                    "podCidrs": [PODS],
                    "clusterDomain": DOMAIN,
                },
                "addons": {"coreDNS": {}, "kubeProxy": {}},
            },
        )
        pair = self.server.authority.pair
        data = meta.secret_data({"ca.crt": pair.certificate, "ca.key": pair.key})
        return View(
            tcp=TenantControlPlane.parse(raw),
            raw=raw,
            seen=Seen().with_objects(meta.new(kinds.SECRET, names.ca_secret(TENANT), "tenants", data=data)),
            store=None,
            keyspace=None,
            tenant=Seen(),
            settings=Settings(),
            now=datetime.now(UTC),
            mint=MINT,
        )

    def _machine(self, release: Release) -> Path:
        """The files that `kubeadm init` would have made before these phases."""
        root = self.folder / release.version
        etc = root / "etc/kubernetes"
        (etc / "pki").mkdir(parents=True)
        (etc / "pki/ca.crt").write_bytes(self.server.authority.pair.certificate)
        (etc / "pki/ca.key").write_bytes(self.server.authority.pair.key)  # without it kubeadm asks for all it signed
        # Under another name than admin.conf, so that kubeadm dials what it says and not the address that is advertised.
        (etc / "loopback.conf").write_bytes(self.server.kubeconfig("kubernetes-admin"))
        api = "kubeadm.k8s.io/v1beta4"
        init = {
            "apiVersion": api,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": "192.0.2.10", "bindPort": self.server.port},
            "nodeRegistration": {"name": NODE, "criSocket": "unix:///run/containerd/containerd.sock"},
        }
        cluster = {
            "apiVersion": api,
            "kind": "ClusterConfiguration",
            "clusterName": TENANT,
            "controlPlaneEndpoint": f"127.0.0.1:{self.server.port}",
            "kubernetesVersion": release.version,
            "networking": {"dnsDomain": DOMAIN, "podSubnet": PODS, "serviceSubnet": SERVICES},
        }
        (etc / "kubeadm.yaml").write_text(yaml.safe_dump_all([init, cluster]))
        return root

    def _apply(self, *manifests: Manifest) -> None:
        self.server.kubectl(
            "apply", "--server-side", f"--field-manager={names.HOSTING_MANAGER}", *self._file(manifests)
        )

    def _taken(self) -> Objects:
        """What is there beyond the start, and no longer afterwards."""
        found = {key: each for key, each in self._all().items() if key not in self.before}
        self.server.kubectl("delete", "--wait=false", *self._file(found.values()))
        self.server.kubectl("delete", "secrets", "--all", "--namespace=kube-system")
        return found

    def _file(self, manifests: Iterable[Manifest]) -> list[str]:
        file = self.folder / "objects.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))
        return ["-f", str(file)]

    def _all(self) -> Objects:
        listed = json.loads(self.server.kubectl("get", KINDS, "--all-namespaces", "-o", "json").stdout)["items"]
        found = {(each["kind"], meta_of(each, "namespace"), meta_of(each, "name")): each for each in listed}
        return {key: each for key, each in found.items() if key[2] not in BY_SERVER}


def meta_of(manifest: Manifest, key: str) -> str:
    return str(manifest["metadata"].get(key) or "")


def differences(theirs: Objects, ours: Objects) -> dict[str, tuple[Any, Any]]:
    """Path → (theirs, ours), None for what is not there. A path starts with kind and name; lists are known by their names."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted(theirs.keys() | ours.keys()):
        where = f"{key[0]} {key[2]}"
        if key not in theirs or key not in ours:
            found[where] = ("there" if key in theirs else None, "there" if key in ours else None)
            continue
        one, other = dict(leaves(where, plain(theirs[key]))), dict(leaves(where, plain(ours[key])))
        for path in sorted(one.keys() | other.keys()):
            if one.get(path) != other.get(path):
                found[path] = (one.get(path), other.get(path))
    return found


def plain(manifest: Manifest) -> Manifest:
    """Without what every object gets at run time, our own labels, and with documents inside ConfigMaps read."""
    body = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind", "status", "metadata")}
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in RUNTIME}
    ours = (names.LABEL_PROJECT, names.LABEL_PART)
    metadata["labels"] = {key: value for key, value in meta.labels_of(manifest).items() if key not in ours}
    if manifest["kind"] == "ConfigMap":
        body["data"] = {key: _document(value) for key, value in body["data"].items()}
    if "rules" in body:
        body["rules"] = _granted(body["rules"])
    if "subjects" in body:
        body["subjects"] = sorted(f"{each['kind']} {each['name']}" for each in body["subjects"])
    return {"metadata": metadata, **body}


def leaves(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value with its path; of empty objects and lists there are none."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(f"{where}/{key}", each)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            named = each.get("name") or index if isinstance(each, dict) else index
            yield from leaves(f"{where}/{named}", each)
    else:
        yield where, value


def _document(text: str) -> Any:
    """A YAML document as what it says; other text as it is."""
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return said if isinstance(said, dict) else text


def _granted(rules: list[Manifest]) -> list[str]:
    """Rules as sentences, whatever their grouping."""
    return sorted(
        f"{verb} {group or 'core'}/{resource} {name}".strip()
        for each in rules
        for group in each.get("apiGroups", [""])
        for resource in each.get("resources", [])
        for verb in each["verbs"]
        for name in each.get("resourceNames") or [""]
    )
