"""A tenant between two versions, as its pass sees it: what served, what the Deployment makes, its pods and ReplicaSets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from provider.api import kinds, names
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.view import Seen, View
from provider.manifest import Manifest, meta
from provider.manifest.mergepatch import merged
from provider.settings import Settings

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
OLD, NEW = "v1.36.3", "v1.37.2"
UID = "deployment-uid"


def pod_spec(version: str, *arguments: str) -> Manifest:
    images = [(each, f"registry.k8s.io/{each}:{version}") for each in ("kube-apiserver", "kube-scheduler")]
    return {"containers": [{"name": name, "image": image, "args": list(arguments)} for name, image in images]}


def deployment(version: str, *, replicas: int = 2, overdue: bool = False, seen: int = 4, record: str = "") -> Manifest:
    """At generation 4; `seen` is the generation that its controller has seen."""
    reason = ("False", "ProgressDeadlineExceeded") if overdue else ("True", "ReplicaSetUpdated")
    progressing = {"type": "Progressing", "status": reason[0], "reason": reason[1]}
    found = meta.new(
        kinds.DEPLOYMENT,
        "t",
        "ns",
        annotations={names.ANNOTATION_UPGRADE_FAILED: record} if record else {},
        spec={"replicas": replicas, "template": {"spec": pod_spec(version)}},
        status={"observedGeneration": seen, "conditions": [progressing]},
    )
    found["metadata"] |= {"uid": UID, "generation": 4}
    return found


def replica_set(version: str, revision: int, ready: int, *arguments: str, owner: str = UID) -> Manifest:
    found = meta.new(
        kinds.REPLICA_SET,
        f"t-{revision}",
        "ns",
        annotations={"deployment.kubernetes.io/revision": str(revision)},
        spec={"template": {"spec": pod_spec(version, *arguments)}},
        status={"readyReplicas": ready},
    )
    found["metadata"]["ownerReferences"] = [{"uid": owner}]
    return found


def pod(name: str, version: str, *, ready: bool = True, age: float = 3600, **status: Any) -> Manifest:
    conditions = [{"type": "Ready", "status": str(ready)}]
    found = meta.new(kinds.POD, name, "ns", spec=pod_spec(version), status={"conditions": conditions, **status})
    found["metadata"]["creationTimestamp"] = (NOW - timedelta(seconds=age)).isoformat()
    return found


def unpullable(name: str, version: str) -> Manifest:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
    image = f"registry.k8s.io/kube-apiserver:{version}"
    return pod(name, version, ready=False, containerStatuses=[{"name": "kube-apiserver", "image": image, **waiting}])


def view(*seen: Manifest, installed: str | None = OLD, annotations: dict[str, str] | None = None, **spec: Any) -> View:
    """A tenant that shall run 1.37.2 with two replicas, but for what `spec` lays over it."""
    wanted = {
        "kubernetes": {"version": NEW, "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 2}},
    }
    raw = meta.new(kinds.TENANT_CONTROL_PLANE, "t", "ns", annotations=annotations or {}, spec=merged(wanted, spec))
    raw["metadata"] |= {"uid": "u", "generation": 3}
    if installed:
        raw["status"] = {"kubernetesResources": {"version": {"version": installed, "status": "Ready"}}}
    return View(
        tcp=TenantControlPlane.parse(raw),
        raw=raw,
        seen=Seen().with_objects(*seen),
        store=None,
        keyspace=None,
        tenant=None,
        settings=Settings(),
        now=NOW,
        mint=RandomMint(),
    )


def asked(version: str) -> dict[str, Any]:
    return {"kubernetes": {"version": version}}


def replicas(count: int) -> dict[str, Any]:
    return {"controlPlane": {"deployment": {"replicas": count}}}
