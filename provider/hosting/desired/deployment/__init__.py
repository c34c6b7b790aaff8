"""The pods of a tenant's control plane: kube-apiserver, kube-scheduler and kube-controller-manager in one Deployment.

A store other than etcd is reached through kine beside them (`kine`); with a tunnel to the nodes its proxy server stands
beside them (`konnectivity.sidecar`).

Assembled here whole, in one write. Checksums of what is mounted stand in the pod's labels, so a new certificate rolls it.
Pods that upstream's operator made stay as they are while nothing that matters differs (`upstreams`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import credentials, kinds, names
from provider.api.credentials import tenants
from provider.api.credentials.node import Node
from provider.api.deployment import BLUE_GREEN
from provider.api.verdict import NotReady
from provider.hosting import credential, encryption, upgrade
from provider.hosting.desired.deployment import (
    apiserver,
    controllermanager,
    kine,
    placement,
    scheduler,
    sizes,
    upstreams,
    volumes,
)
from provider.hosting.desired.konnectivity import sidecar
from provider.hosting.migration import standby
from provider.hosting.view import View
from provider.manifest import Manifest, checksum, compare, meta

NAME = "deployment"

LABEL_VALUE = 63
NUMBERS = (
    "replicas",
    "readyReplicas",
    "availableReplicas",
    "updatedReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
)


def build(view: View) -> Iterator[Manifest]:
    """One Deployment, called like the tenant. NotReady while a Secret it mounts or its keyspace is missing."""
    if view.store is None or view.keyspace is None:
        raise NotReady("KeyspaceNotClaimed", "waiting for a place in the DataStore")
    view = standby.of_pods(view)
    extra = view.tcp.deployment.additional_metadata
    manifest = meta.new(
        kinds.DEPLOYMENT,
        view.name,
        view.namespace,
        labels={**extra.labels, **names.tenant_labels(view.name, NAME)},
        annotations={**extra.annotations, **_remembered(view)},
        spec={
            "replicas": view.tcp.deployment.replicas,
            "progressDeadlineSeconds": upgrade.deadline(view),
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": _selector(view)},
            "strategy": _strategy(view),
            "template": sizes.settled(
                view, {"metadata": _pod_metadata(view), "spec": _served_before(view) or _pod(view)}
            ),
        },
    )
    manifest = meta.owned(manifest, view.raw)
    yield (upstreams.standing(view, manifest) if view.kept else _standing(view, manifest)) or manifest


def _standing(view: View, fresh: Manifest) -> Manifest | None:
    """`fresh` with the pods as they are, while they are not to be made anew once more; None when they may be."""
    if not view.stopped or view.deployment is None:
        return None
    return {**fresh, "spec": {**fresh["spec"], "template": compare.without_nulls(view.deployment["spec"]["template"])}}


def report(view: View) -> dict[str, Any]:
    """`kubernetesResources.deployment`: the Deployment's own status, the selector as the scale subresource wants it."""
    deployment = view.seen.get(kinds.DEPLOYMENT, view.name, view.namespace)
    if deployment is None:
        return {}
    status = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        status = {**status, "updatedReplicas": 0}  # it counts the pods of a template that is no longer wanted
    before = (view.status.get("kubernetesResources") or {}).get("deployment")
    block: dict[str, Any] = {
        "name": view.name,
        "namespace": view.namespace,
        "selector": ",".join(f"{key}={value}" for key, value in _selector(view).items()),
        **{each: status.get(each, 0) for each in NUMBERS},
        **{each: status[each] for each in ("collisionCount", "observedGeneration", "conditions") if each in status},
    }
    return {"kubernetesResources": {"deployment": credential.stamped(view, block, before)}}


def _remembered(view: View) -> dict[str, str]:
    """Which upgrade failed (see `hosting.upgrade`)."""
    record = view.rollout.record if view.rollout else ""
    return {names.ANNOTATION_UPGRADE_FAILED: record} if record else {}


def _served_before(view: View) -> Manifest | None:
    """After a failed upgrade the pods are made as they were, whatever else of the spec came along with the new version."""
    return view.rollout.kept if view.rollout else None


def _pod(view: View) -> Manifest:
    deployment = view.tcp.deployment
    pod: Manifest = {
        "containers": [
            *deployment.additional_containers,
            apiserver.build(view),
            scheduler.build(view),
            controllermanager.build(view),
            *kine.containers(view),
            *sidecar.containers(view),
        ],
        "volumes": [
            *deployment.additional_volumes,
            *volumes.volumes(view),
            *kine.volumes(view),
            *sidecar.volumes(view),
        ],
        **placement.of(view),
    }
    if standby.asked(view):
        pod["readinessGates"] = [{"conditionType": names.GATE_AT_HOME}]
    if deployment.additional_init_containers:
        pod["initContainers"] = list(deployment.additional_init_containers)
    return pod


def _pod_metadata(view: View) -> Manifest:
    """The user's labels win over ours, but for the one by which Deployment and Service find the pods."""
    sums = {each.rolls: _mounted(view, each) for each in credentials.OF_TENANT if each.rolls}
    sums = {key: value for key, value in sums.items() if value is not None}
    noted = {key for key in sums if not key.startswith(names.COMPONENT_CHECKSUM_PREFIX)}
    assert view.store is not None
    store = view.store.name if len(view.store.name) <= LABEL_VALUE else checksum.of({"": view.store.name})
    extra = view.tcp.deployment.pod_additional_metadata
    return {
        "labels": {
            names.LABEL_COMPONENT: NAME,
            **{key: value for key, value in sums.items() if key not in noted},
            f"{names.COMPONENT_CHECKSUM_PREFIX}datastore": store,
            **extra.labels,
            **_selector(view),
        },
        "annotations": {
            **extra.annotations,
            **{key: value for key, value in sums.items() if key in noted},
        },
    }


def _mounted(view: View, node: Node) -> str | None:
    """The checksum of what pods have mounted of a credential; None for one that they do not have. NotReady before it is made.

    Without TLS the tenant's certificate in the store is empty, and so is the word about it.
    """
    assert view.store is not None
    if node is tenants.TUNNEL_KUBECONFIG and view.tcp.spec.addons.konnectivity is None:
        return None
    if node is tenants.ENCRYPTION and not encryption.mounted(view):
        return None
    if node is tenants.STORE_CLIENT and not view.store.ca:
        return checksum.of({})
    secret = node.secret(view.name)
    if not (data := view.secret(secret)):
        raise NotReady("SecretMissing", f"waiting for Secret {view.namespace}/{secret}")
    if node is tenants.STORE_CLIENT:
        data = standby.renamed(data) if standby.enters_otherwise(view) else standby.without(data)
    return checksum.of(data)


def _selector(view: View) -> dict[str, str]:
    return {names.LABEL_NAME: view.name}


def _strategy(view: View) -> Manifest:
    strategy = view.tcp.deployment.strategy
    if standby.asked(view):  # whatever was written in the midst: those that serve may not go first
        return dict(BLUE_GREEN)
    if strategy.get("type", "RollingUpdate") == "RollingUpdate" and not strategy.get("rollingUpdate"):
        return dict(BLUE_GREEN)
    if strategy.get("type") != "Recreate":
        return strategy
    # This type may have no block, and in the spec stands the default's where only the type was changed. Of one in the
    # Deployment that is only left out server-side apply leaves an empty one.
    live = (view.deployment["spec"].get("strategy") or {}) if view.deployment else {}
    bare = {key: value for key, value in strategy.items() if key != "rollingUpdate"}
    return bare | ({"rollingUpdate": None} if live.get("rollingUpdate") else {})
