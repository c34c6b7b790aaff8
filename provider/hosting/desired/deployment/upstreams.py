"""Pods as upstream's operator made them: whether anything that matters differs from what this tenant asks for.

While nothing does, a Deployment that was taken over keeps its pod template to the letter, so that a take-over restarts no
API server. What only comes with a template of ours (NodeRestriction, restricted security contexts, patient probes, lean Go
runtimes) comes with the first change that rolls the pods anyway. docs/differences.md tells users so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from provider.api import kinds
from provider.api.deployment import Probes, ProbeSet, ProbeSpec
from provider.hosting.desired.deployment.apiserver import NODE_RESTRICTION
from provider.hosting.desired.deployment.flags import name_of
from provider.hosting.view import View
from provider.manifest import Manifest
from provider.manifest.compare import contained, equal, without_nulls

# Flags that we add or set in our own way where the user says nothing: to lack them harms nobody.
OURS = frozenset(
    {
        "etcd-db-metric-poll-interval",
        "kube-api-burst",
        "kube-api-qps",
        "leader-elect",
        "leader-elect-lease-duration",
        "leader-elect-renew-deadline",
        "leader-elect-retry-period",
        "profiling",
        "shutdown-delay-duration",
        "shutdown-watch-termination-grace-period",
    }
)
# Flags whose values are compared as sets: upstream sorts ranges as text, and the order of plugins says nothing.
SETS = frozenset({"enable-admission-plugins", "service-cluster-ip-range", "cluster-cidr"})
COMPONENTS = {
    "kube-apiserver": "api_server",
    "kube-controller-manager": "controller_manager",
    "kube-scheduler": "scheduler",
}
PROBES = ("liveness", "readiness", "startup")
UPSTREAMS_NUMBERS = {
    "initialDelaySeconds": 0,
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
RESTARTED = "kubectl.kubernetes.io/restartedAt"


def made(live: Manifest) -> bool:
    """Whether a Deployment's pods are upstream's: ours never have service links, upstream's always."""
    return live["spec"]["template"]["spec"].get("enableServiceLinks") is not False


def standing(view: View, fresh: Manifest) -> Manifest | None:
    """`fresh` with the pod template that stands; None when that is not upstream's or differs in what matters."""
    live = view.seen.get(kinds.DEPLOYMENT, view.name, view.namespace)
    if live is None or not made(live):
        return None
    template = without_nulls(live["spec"]["template"])
    if next(differences(view, template, fresh["spec"]["template"]), None) is not None:
        return None
    return {**fresh, "spec": {**fresh["spec"], "template": template}}


def differences(view: View, live: Manifest, fresh: Manifest) -> Iterator[str]:
    """What of upstream's pod template is not what the tenant asks for, in words."""
    yield from _metadata(live["metadata"], fresh["metadata"])
    for field in ("containers", "initContainers"):
        yield from _containers(view, live["spec"].get(field) or [], fresh["spec"].get(field) or [])
    yield from _volumes(view, live["spec"].get("volumes") or [], fresh["spec"]["volumes"])
    yield from _placement(view, live["spec"])


def _metadata(live: Manifest, fresh: Manifest) -> Iterator[str]:
    if not equal(live.get("labels"), fresh.get("labels")):
        yield "labels"
    annotations = {key: value for key, value in (live.get("annotations") or {}).items() if key != RESTARTED}
    if not equal(annotations, fresh.get("annotations")):
        yield "annotations"


def _containers(view: View, live: Sequence[Manifest], fresh: Sequence[Manifest]) -> Iterator[str]:
    found, wanted = ({each["name"]: each for each in group} for group in (live, fresh))
    if found.keys() != wanted.keys():
        yield f"containers {', '.join(sorted(found.keys() ^ wanted.keys()))}"
    for name in sorted(found.keys() & wanted.keys()):
        if name in COMPONENTS:
            said = _component(view, found[name], wanted[name])
        elif any(each["name"] == name for each in _users(view)):
            said = iter(() if contained(wanted[name], found[name]) else ("what the user wrote",))
        else:
            said = _container(found[name], wanted[name], ())
        yield from (f"{name}: {each}" for each in said)


def _users(view: View) -> Sequence[Manifest]:
    deployment = view.tcp.deployment
    return [*deployment.additional_containers, *deployment.additional_init_containers]


def _component(view: View, live: Manifest, fresh: Manifest) -> Iterator[str]:
    """One of the three programs: also what the user shapes, held against what he wrote and not against our defaults."""
    deployment, component = view.tcp.deployment, COMPONENTS[live["name"]]
    yield from _container(live, fresh, getattr(deployment.extra_args, component))
    if not equal(live.get("resources"), getattr(deployment.resources, component)):
        yield "resources"
    if not equal(live.get("securityContext"), getattr(deployment.container_security_contexts, component)):
        yield "securityContext"
    for kind in PROBES:
        wanted = _numbers(deployment.probes, getattr(deployment.probes, component), kind)
        probe = live.get(f"{kind}Probe") or {}
        if any(probe.get(key, 0) != value for key, value in wanted.items()):
            yield f"{kind}Probe"


def _container(live: Manifest, fresh: Manifest, user: Sequence[str]) -> Iterator[str]:
    for field in ("image", "command"):
        if not equal(live.get(field), fresh.get(field)):
            yield field
    lacking, surplus = _said(fresh.get("args") or [], user), _said(live.get("args") or [], user)
    for each in sorted(map(str, (lacking - surplus) + (surplus - lacking))):
        yield f"argument {each}"
    if _mounts(live) != _mounts(fresh):
        yield "volumeMounts"


def _said(arguments: Sequence[str], user: Sequence[str]) -> Counter[Hashable]:
    """Arguments as they are compared. What the user wrote always counts."""
    found: Counter[Hashable] = Counter()
    for each in arguments:
        name, _, value = each.partition("=")
        flag = name_of(name)
        if each in user or flag not in OURS | SETS:
            found[each] += 1
        elif flag in SETS:
            found[(flag, frozenset(value.split(",")) - {NODE_RESTRICTION})] += 1
    return found


def _mounts(container: Manifest) -> set[tuple[str, str, str]]:
    return {
        (each["mountPath"], each["name"], each.get("subPath") or "") for each in container.get("volumeMounts") or ()
    }


def _volumes(view: View, live: Sequence[Manifest], fresh: Sequence[Manifest]) -> Iterator[str]:
    users = {each["name"] for each in view.tcp.deployment.additional_volumes}
    found, wanted = ({each["name"]: each for each in group} for group in (live, fresh))
    if found.keys() != wanted.keys():
        yield f"volumes {', '.join(sorted(found.keys() ^ wanted.keys()))}"
    for name in sorted(found.keys() & wanted.keys()):
        same = (
            contained(wanted[name], found[name]) if name in users else _sources(found[name]) == _sources(wanted[name])
        )
        if not same:
            yield f"volume {name}"


def _sources(volume: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(kind, name) of each Secret and ConfigMap in a volume of the operator's own."""
    sources = (volume.get("projected") or {}).get("sources") or [volume]
    secrets = {each["secret"].get("name") or each["secret"].get("secretName") for each in sources if "secret" in each}
    maps = {each["configMap"]["name"] for each in sources if "configMap" in each}
    return {("secret", each) for each in secrets} | {("configMap", each) for each in maps}


def _placement(view: View, live: Manifest) -> Iterator[str]:
    """What the user says of where and as whom the pods run; what he leaves out, upstream leaves out."""
    deployment = view.tcp.deployment
    said = {
        "affinity": deployment.affinity,
        "automountServiceAccountToken": deployment.automount_service_account_token,
        "nodeSelector": deployment.node_selector,
        "runtimeClassName": deployment.runtime_class_name,
        "securityContext": deployment.pod_security_context,
        "serviceAccountName": deployment.service_account_name,
        "tolerations": list(deployment.tolerations),
    }
    for field, value in said.items():
        if not equal(value, live.get(field)):
            yield field
    spread = live.get("topologySpreadConstraints") or []
    if not contained(list(deployment.topology_spread_constraints), spread):
        yield "topologySpreadConstraints"


def _numbers(general: Probes, component: ProbeSet | None, kind: str) -> dict[str, int]:
    return UPSTREAMS_NUMBERS | _written(getattr(general, kind)) | _written(getattr(component, kind, None))


def _written(spec: ProbeSpec | None) -> dict[str, int]:
    return spec.model_dump(by_alias=True, exclude_none=True) if spec else {}
