"""`kamaji doctor`: whether a management cluster is fit, a line for each question. Writes nothing. Called by `commands`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from provider.api import kinds, names
from provider.api.served import KINDS
from provider.cli.checks import Answer, Check, Question, asked
from provider.cli.session import MANAGER, Session
from provider.cluster.election import lease_name
from provider.cluster.errors import NotFound
from provider.manifest import meta, podstatus
from provider.manifest.condition import holds
from provider.settings import Settings

OLDEST = (1, 30)  # with ValidatingAdmissionPolicy and the CEL that the CRDs use
SKEW = 5.0  # seconds of clock that certificates made now can bear
DNS = {"k8s-app": "kube-dns"}
"""Label of the pods of a cluster's DNS, as kubeadm and most others set it."""
PROVIDER = {"app.kubernetes.io/name": "kamaji-provider"}
NEEDED = (
    ("list", names.KAMAJI_GROUP, "tenantcontrolplanes"),
    ("patch", names.KAMAJI_GROUP, "tenantcontrolplanes"),
    ("get", "", "secrets"),
)
"""What people who look after tenants have to be allowed: verb, group, resource."""


OPEN = ("Kubernetes version", "kinds")
"""Questions that an API server answers to whoever it knows."""


async def checked(session: Session, now: Callable[[], datetime], settings: Settings) -> list[Check]:
    """All answers, in the order in which they matter. What cannot be asked is said to be so, and ends nothing."""
    questions: Sequence[Question] = (
        ("Kubernetes version", lambda: _version(session)),
        ("clock", lambda: _clock(session, now)),
        ("kinds", lambda: _kinds(session)),
        ("provider", lambda: _provider(session, settings)),
        ("leader", lambda: _leader(session, now, settings)),
        ("nodes", lambda: _nodes(session)),
        ("DNS", lambda: _dns(session)),
        ("storage", lambda: _storage(session)),
        ("load balancer", lambda: _balancer(session)),
        ("stores", lambda: _stores(session)),
        ("your permissions", lambda: _permissions(session)),
    )
    return await asked(questions)


async def _version(session: Session) -> Answer:
    said = json.loads(await session.cluster.text("/version"))
    numbers = re.match(r"v(\d+)\.(\d+)", str(said["gitVersion"]))
    old = numbers is not None and (int(numbers[1]), int(numbers[2])) < OLDEST
    answer = str(said["gitVersion"]) + (f"; {OLDEST[0]}.{OLDEST[1]} and later are supported: upgrade it" if old else "")
    return "bad" if old else "ok", answer


async def _clock(session: Session, now: Callable[[], datetime]) -> Answer:
    """The server's clock, read from what it would put on an object; nothing is made."""
    probe = meta.new(kinds.CONFIG_MAP, "kamaji-doctor", session.namespace)
    before = now()
    answer = await session.cluster.apply(probe, manager=MANAGER, dry_run=True)
    after = now()
    told = datetime.fromisoformat(answer["metadata"]["creationTimestamp"])
    off = max(0.0, (before - told).total_seconds() - 1.0, (told - after).total_seconds())  # it tells whole seconds
    if off <= SKEW:
        return "ok", "this machine's and the API server's agree"
    return "bad", f"this machine's is {off:.0f} s off the API server's: run NTP on both"


async def _kinds(session: Session) -> Answer:
    missing = []
    for each in KINDS:
        kind = each.DEFINITION.kind
        try:
            await session.cluster.discover(kind.group, kind.kind, kind.api_version.rpartition("/")[2])
        except NotFound:
            missing.append(kind.kind)
    if missing:
        answer = (
            f"not served: {', '.join(missing)}; install with `clusterctl init --control-plane kamaji` or `make install`"
        )
        return "bad", answer
    return "ok", f"all {len(KINDS)} are served"


async def _provider(session: Session, settings: Settings) -> Answer:
    found = await session.cluster.list(kinds.DEPLOYMENT, settings.namespace, labels=None)
    ours = [each for each in found if PROVIDER.items() <= meta.labels_of(each["spec"]["template"]).items()]
    if not ours:
        answer = f"no Deployment of it in namespace {settings.namespace}: it may run elsewhere, or not at all"
        return "unsure", answer
    deployment = ours[0]
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    ready = (deployment.get("status") or {}).get("readyReplicas", 0)
    if podstatus.rolled_out(deployment) and ready:
        return "ok", f"{ready} ready, {image}"
    answer = f"{ready} of {deployment['spec'].get('replicas', 1)} ready: see kubectl -n {settings.namespace} get pods"
    return "bad", answer


async def _leader(session: Session, now: Callable[[], datetime], settings: Settings) -> Answer:
    lease = await session.cluster.get(kinds.LEASE, lease_name(settings.rooms), settings.namespace)
    spec: dict[str, Any] = (lease or {}).get("spec") or {}
    if not spec.get("holderIdentity"):
        return "bad", "nobody leads, so nothing is looked at: see the provider's pods"
    since = (now() - datetime.fromisoformat(spec["renewTime"])).total_seconds()
    if since > 2 * spec.get("leaseDurationSeconds", 15):
        answer = f"{spec['holderIdentity']} led until {since:.0f} s ago: nothing is looked at"
        return "bad", answer
    return "ok", str(spec["holderIdentity"])


async def _nodes(session: Session) -> Answer:
    found = await session.cluster.list(kinds.NODE)
    ready = [
        each
        for each in found
        if holds((each.get("status") or {}).get("conditions"), "Ready") and not each["spec"].get("unschedulable")
    ]
    answer = f"{len(ready)} of {len(found)} take pods"
    if not ready:
        return "bad", f"{answer}: add one, or uncordon one"
    alone = "; replicas of one tenant share a node" if len(ready) == 1 else ""
    return "unsure" if alone else "ok", answer + alone


async def _dns(session: Session) -> Answer:
    """Control planes find their stores, and we find both, by names of Services."""
    found = await session.cluster.list(kinds.POD, "kube-system", labels=DNS)
    ready = sum(map(podstatus.is_ready, found))
    if not found:
        return "unsure", "no pod in kube-system is labelled k8s-app=kube-dns: see that names of Services are resolved"
    if not ready:
        return "bad", f"none of its {len(found)} pods is ready, so no store is found: kubectl -n kube-system get pods"
    return "ok", f"{ready} of {len(found)} pods ready"


async def _storage(session: Session) -> Answer:
    marked = "storageclass.kubernetes.io/is-default-class"
    found = await session.cluster.list(kinds.STORAGE_CLASS)
    default = [each["metadata"]["name"] for each in found if meta.annotations_of(each).get(marked) == "true"]
    if default:
        return "ok", f"StorageClass {default[0]} is the default"
    answer = (
        "no default StorageClass: stores that the provider makes keep their data on one node; name a class in the pool"
    )
    return "unsure", answer


async def _balancer(session: Session) -> Answer:
    found = [each for each in await session.cluster.list(kinds.SERVICE) if each["spec"].get("type") == "LoadBalancer"]
    without = [
        f"{each['metadata']['namespace']}/{each['metadata']['name']}"
        for each in found
        if not ((each.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    ]
    if not found:
        answer = (
            "no Service asks for one, so it cannot be told; without one expose tenants by NodePort, Ingress or Gateway"
        )
        return "unsure", answer
    if without:
        answer = f"without an address: {', '.join(sorted(without)[:3])}; see whether a load balancer is installed"
        return "bad", answer
    return "ok", f"{len(found)} Services have addresses"


async def _stores(session: Session) -> Answer:
    found = await session.cluster.list(kinds.DATA_STORE)
    down = sorted(each["metadata"]["name"] for each in found if not (each.get("status") or {}).get("ready"))
    if not found:
        return "bad", "there is no DataStore: make one, or a DataStorePool"
    if down:
        return "bad", f"not ready: {', '.join(down)}; see `kamaji stores`"
    return "ok", f"{len(found)} ready"


async def _permissions(session: Session) -> Answer:
    refused = []
    for verb, group, resource in NEEDED:
        attributes = {"namespace": session.namespace, "verb": verb, "group": group, "resource": resource}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": {"resourceAttributes": attributes},
        }
        answer = await session.cluster.create(review)
        if not (answer.get("status") or {}).get("allowed"):
            refused.append(f"{verb} {resource}")
    if refused:
        words = f"in namespace {session.namespace} you may not {', '.join(refused)}: some commands will not work"
        return "unsure", words
    return "ok", f"enough in namespace {session.namespace}"
