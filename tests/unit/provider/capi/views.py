"""Views of a KamajiControlPlane for the tests beside this: a Cluster `c`, its control plane `kcp`, and what was seen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from provider.capi.model import Cluster, KamajiControlPlane
from provider.capi.view import Place, View
from provider.manifest import Manifest, meta

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
UID = "11111111-2222-3333-4444-555555555555"
VERSION = "v1.36.3"


def raw(*, name: str = "kcp", status: Any = None, metadata: Any = None, **spec: Any) -> Manifest:
    """A KamajiControlPlane as it is read."""
    return {
        "apiVersion": "controlplane.cluster.x-k8s.io/v1alpha2",
        "kind": "KamajiControlPlane",
        "metadata": {"name": name, "namespace": "ns", "uid": UID, "generation": 3, **(metadata or {})},
        "spec": {"version": VERSION, **spec},
        "status": status or {},
    }


def owner(manifest: Manifest, **changes: Any) -> Manifest:
    """An owner reference to it, as its controller."""
    metadata = manifest["metadata"]
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        **changes,
    }


def tenant(
    *,
    version: str | None = VERSION,
    phase: str = "Ready",
    endpoint: str = "10.0.0.1:6443",
    asked: str = VERSION,
    numbers: tuple[int, int, int] = (2, 2, 2),
    ready: str | None = "True",
    spec: Any = None,
) -> Manifest:
    """A TenantControlPlane of ours. `numbers`: pods there, updated, ready; `ready`: status of its Ready condition."""
    there, updated, answering = numbers
    conditions = [{"type": "Ready", "status": ready, "reason": "Told", "message": "as the hosting room says"}]
    installed = {"status": phase} | ({"version": version} if version else {})
    deployment = {
        "selector": "kamaji.clastix.io/name=kcp",
        "replicas": there,
        "updatedReplicas": updated,
        "readyReplicas": answering,
        "availableReplicas": answering,
    }
    return {
        "apiVersion": "kamaji.clastix.io/v1alpha1",
        "kind": "TenantControlPlane",
        "metadata": {"name": "kcp", "namespace": "ns", "uid": "tcp", "ownerReferences": [owner(raw())]},
        "spec": {"kubernetes": {"version": asked}, **(spec or {})},
        "status": {
            "controlPlaneEndpoint": endpoint,
            "conditions": conditions if ready else [],
            "kubernetesResources": {"version": installed, "deployment": deployment},
        },
    }


def secret(name: str, *, type: str = "cluster.x-k8s.io/secret", controller: Any = None, **data: bytes) -> Manifest:
    """A Secret; keys are written with an underscore for their dot."""
    owners = {"ownerReferences": [controller]} if controller else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "ns", **owners},
        "type": type,
        "data": meta.secret_data({key.replace("_", "."): value for key, value in data.items()}),
    }


def complete() -> dict[str, Manifest]:
    """The Cluster's Secrets as they should be."""
    controller = owner(raw())
    return {
        "c-kubeconfig": secret("c-kubeconfig", controller=controller, value=b"kubeconfig"),
        "c-ca": secret("c-ca", controller=controller, tls_crt=b"ca", tls_key=b"key"),
    }


def cluster(name: str = "c", **spec: Any) -> Cluster:
    """A Cluster that names the control plane."""
    reference = {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KamajiControlPlane", "name": "kcp"}
    manifest = {"metadata": {"name": name, "namespace": "ns"}, "spec": {"controlPlaneRef": reference, **spec}}
    return Cluster.parse(manifest | ({"status": spec.pop("status")} if "status" in spec else {}))


def view(kcp: Manifest | None = None, **seen: Any) -> View:
    """What a pass knows; without `tcp` the control plane is not born."""
    found = raw() if kcp is None else kcp
    place = Place(namespace="ns", name=found["metadata"]["name"])
    known = {"cluster": cluster(), "now": NOW, "place": place, **seen}
    return View(kcp=KamajiControlPlane.parse(found), raw=found, **known)
