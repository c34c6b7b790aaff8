"""The etcd members: a StatefulSet with the probes and rights that a store shared by strangers asks for.

Its pods start again when we delete them, one at a time and only while all others serve (`repair`): a StatefulSet by itself
would go on from one that it has updated to the next while a third is down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names, poolnames
from provider.hosting.desired.pool import configuration, ownership, roster, snapshot
from provider.hosting.desired.pool.configuration import DATA, FOLDER, PEER, SERVER
from provider.hosting.desired.pool.network import CLIENT_PORT, METRICS_PORT, PEER_PORT
from provider.hosting.desired.pool.volume import CLAIM, HOSTNAME, ON_NODE, ZONE, rights, storage_class
from provider.hosting.rotation import stores
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, checksum, pod, yamltext

FAREWELL = 5  # seconds from a member's last call to its end
CONFIGURATION = f"{names.EXTENSION_GROUP}/configuration-checksum"


def build(view: PoolView) -> Iterator[Manifest]:
    """One StatefulSet."""
    spec = {
        "podManagementPolicy": "Parallel",  # a quorum needs its members at the same time
        "replicas": roster.of(view).replicas,
        "selector": {"matchLabels": ownership.labels(view)},
        "serviceName": poolnames.members_service(view.name),
        "template": {
            "metadata": {
                "annotations": {stores.AUTHORITIES: stores.mark(view), CONFIGURATION: _configuration(view)},
                "labels": ownership.labels(view),
            },
            "spec": _pod(view),
        },
        "updateStrategy": {"type": "OnDelete"},
        "volumeClaimTemplates": [_claim(view)],
        # Whoever deletes the StatefulSet by hand must not delete the tenants' state with it.
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    }
    yield ownership.namespaced(view, kinds.STATEFUL_SET, poolnames.etcd(view.name), {"spec": spec})


def image(version: str) -> str:
    """etcd's own release image."""
    return f"quay.io/coreos/etcd:v{version.removeprefix('v')}"


def _pod(view: PoolView) -> dict[str, Any]:
    return {
        "affinity": {"nodeAffinity": _rather_workers(), "podAntiAffinity": _rather_apart(view)},
        "automountServiceAccountToken": False,
        "containers": [_etcd(view)],
        "enableServiceLinks": False,
        "securityContext": rights(on_node=storage_class(view) == ON_NODE),
        "terminationGracePeriodSeconds": 30,
        "topologySpreadConstraints": [_over(view, ZONE), _over(view, HOSTNAME)],
        "tolerations": [{"key": names.CONTROL_PLANE_TAINT, "operator": "Exists", "effect": "NoSchedule"}],
        "volumes": [
            {"name": "config", "configMap": {"name": poolnames.etcd(view.name), "defaultMode": 0o440}},
            {"name": "server", "secret": {"secretName": poolnames.server_secret(view.name), "defaultMode": 0o440}},
            {"name": "peer", "secret": {"secretName": poolnames.peer_secret(view.name), "defaultMode": 0o440}},
        ],
    }


def _etcd(view: PoolView) -> dict[str, Any]:
    return {
        "name": "etcd",
        "image": image(snapshot.version(view)),
        "imagePullPolicy": "IfNotPresent",
        "command": ["etcd"],
        "args": [f"--config-file={FOLDER}/$(NAME).yaml"],
        "env": [{"name": "NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
        "ports": [
            {"name": "client", "containerPort": CLIENT_PORT, "protocol": "TCP"},
            {"name": "peer", "containerPort": PEER_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        # A large database takes minutes to open, and defragmenting stops reads: both are no reason to kill.
        "startupProbe": _probe("/readyz", period=1, timeout=5, failures=600),
        "readinessProbe": _probe("/readyz", period=1, timeout=5, failures=10),
        "livenessProbe": _probe("/livez", period=10, timeout=15, failures=30),
        # Until every node has heard that it ends it still takes who comes: whoever met a closed port would lose a write. Where
        # no other member answers, that is lost anyway.
        **({"lifecycle": {"preStop": {"sleep": {"seconds": FAREWELL}}}} if view.pool.spec.members > 1 else {}),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "securityContext": pod.RESTRICTED,
        "volumeMounts": [
            {"name": CLAIM, "mountPath": DATA},
            {"name": "config", "mountPath": FOLDER, "readOnly": True},
            {"name": "server", "mountPath": SERVER, "readOnly": True},
            {"name": "peer", "mountPath": PEER, "readOnly": True},
        ],
    }


def _probe(path: str, *, period: int, timeout: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": METRICS_PORT, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
        "successThreshold": 1,
    }


def _rather_workers() -> dict[str, Any]:
    """Control-plane nodes are tolerated, not sought: small management clusters have no others."""
    absent = {"matchExpressions": [{"key": names.CONTROL_PLANE_TAINT, "operator": "DoesNotExist"}]}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": absent}]}


def _rather_apart(view: PoolView) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": ownership.labels(view)}, "topologyKey": "kubernetes.io/hostname"}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}


def _over(view: PoolView, topology: str) -> dict[str, Any]:
    """Members on as many zones, and nodes, as there are; they run all the same where there are fewer."""
    selector = {"matchLabels": ownership.labels(view)}
    return {"maxSkew": 1, "topologyKey": topology, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}


def _claim(view: PoolView) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "labels": ownership.labels(view)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": view.pool.spec.storage.size}},
            "storageClassName": storage_class(view),
            "volumeMode": "Filesystem",
        },
    }


def _configuration(view: PoolView) -> str:
    """Moves when what all members are told does; not when one of them comes or goes."""
    return checksum.of({"common": yamltext.written(configuration.common(view)).encode()})
