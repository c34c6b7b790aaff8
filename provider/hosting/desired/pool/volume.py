"""Where members keep their data: a class of volumes, or the disk of one node when the cluster has no default class.

The choice is made once and read back from the StatefulSet, whose claims cannot change; a StorageClass that comes later
moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from provider.api import kinds, names, poolnames
from provider.api.verdict import NotReady
from provider.hosting.desired.pool import ownership, roster
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, meta, pod
from provider.manifest.condition import holds

CLAIM = "data"
ON_NODE = ""  # the class of claims that bind only to a volume made for them
HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
FOLDER = "/var/lib/kamaji"


def build(view: PoolView) -> Iterator[Manifest]:
    """A PersistentVolume for each member whose data lies on a node; none where a StorageClass provides."""
    if storage_class(view) != ON_NODE:
        return
    members = roster.of(view).members
    taken = [host for each in members if (host := host_of(view, each))]
    for member in members:
        host = host_of(view, member) or _free_host(view, taken)
        taken += [] if host_of(view, member) else [host]
        spec = _spec(view, member, host)
        yield ownership.owned(view, meta.new(kinds.PERSISTENT_VOLUME, volume_name(view, member), spec=spec))


def storage_class(view: PoolView) -> str:
    """The class of the members' claims: as it stands, as asked, the cluster's default, else ON_NODE."""
    live = view.seen.get(kinds.STATEFUL_SET, poolnames.etcd(view.name), view.namespace)
    if live is not None:
        return str(live["spec"]["volumeClaimTemplates"][0]["spec"].get("storageClassName") or ON_NODE)
    if asked := view.pool.spec.storage.storage_class_name:
        return asked
    return default_class(view.classes) or ON_NODE


def default_class(classes: Iterable[Manifest]) -> str:
    """Name of the cluster's default StorageClass; empty without one. Of several the one made last, as API servers take it."""
    defaults = [each for each in classes if meta.annotations_of(each).get(DEFAULT_CLASS) == "true"]
    defaults.sort(key=lambda each: (str(each["metadata"].get("creationTimestamp", "")), str(each["metadata"]["name"])))
    return str(defaults[-1]["metadata"]["name"]) if defaults else ""


def rights(*, on_node: bool) -> dict[str, Any]:
    """Restricted Pod Security; on a node's disk root without any capability, for the kubelet makes such folders root's own."""
    if on_node:
        return {"seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 0, "runAsGroup": 0}
    return pod.UNPRIVILEGED


def volume_name(view: PoolView, member: str) -> str:
    """Volumes are cluster-scoped, so the namespace is part of the name. A member that was given up gets another one."""
    return f"{view.namespace}-{member}{_generation(view, member)}"


def host_path(view: PoolView, member: str) -> str:
    """The pool's UID is in it: a pool made anew under an old name never wakes the data of the one before."""
    return f"{FOLDER}/{view.name}-{view.pool.metadata.uid}/{member}{_generation(view, member)}"


def _generation(view: PoolView, member: str) -> str:
    found = roster.of(view).generations.get(member, 0)
    return f"-again-{found}" if found else ""


def host_of(view: PoolView, member: str) -> str | None:
    """The node whose disk holds a member's data, by its hostname label; None when no node was chosen yet."""
    live = view.seen.get(kinds.PERSISTENT_VOLUME, volume_name(view, member))
    if live is None:
        return None
    terms = live["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    return str(terms[0]["matchExpressions"][0]["values"][0])


def _spec(view: PoolView, member: str, host: str) -> dict[str, Any]:
    selector = {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": [host]}]}
    return {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": view.pool.spec.storage.size},
        "claimRef": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "name": f"{CLAIM}-{member}",
            "namespace": view.namespace,
        },
        "hostPath": {"path": host_path(view, member), "type": "DirectoryOrCreate"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [selector]}},
        "persistentVolumeReclaimPolicy": "Retain",
        "volumeMode": "Filesystem",
    }


def _free_host(view: PoolView, taken: Sequence[str]) -> str:
    """The ready node with the fewest members; a worker before a control-plane node; then by zone and name."""
    zones = {str(meta.labels_of(each).get(HOSTNAME)): str(meta.labels_of(each).get(ZONE)) for each in view.nodes}
    used = [zones.get(each, "") for each in taken]
    usable = sorted(
        (taken.count(host), _rank(each), used.count(zones[host]), host)
        for each in view.nodes
        if _usable(each)
        for host in [str(meta.labels_of(each)[HOSTNAME])]
    )
    if not usable:
        raise NotReady("NoNode", "no ready, schedulable node for the etcd's data: add a node or a default StorageClass")
    return usable[0][3]


def _usable(node: Mapping[str, Any]) -> bool:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    ready = holds(status.get("conditions"), "Ready")
    tainted = any(
        each["effect"] in ("NoSchedule", "NoExecute") and each["key"] != names.CONTROL_PLANE_TAINT
        for each in spec.get("taints") or ()
    )
    return (
        ready and not tainted and not spec.get("unschedulable") and HOSTNAME in (node["metadata"].get("labels") or {})
    )


def _rank(node: Mapping[str, Any]) -> int:
    return int(any(each["key"] == names.CONTROL_PLANE_TAINT for each in (node.get("spec") or {}).get("taints") or ()))
