"""`kamaji isolation`: which promises of isolation hold for a tenant, as far as objects and conditions say. See `commands`.

What its store refuses is tried by the provider with the tenant's own credentials, and read here off a condition. Everything
else is read off the objects as they stand, so that what somebody has changed or added is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from provider.api import kinds, names, poolnames
from provider.api.verdict import Invalid
from provider.cli.checks import Answer, Check, Question, Verdict, asked
from provider.cli.session import Session
from provider.hosting import quota
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from provider.overview.rows import age
from provider.settings import Settings

CLOSED = {
    10257: "controller manager",
    10259: "scheduler",
    8133: "the tunnel's administration",
    8134: "the tunnel's health",
}
"""Ports of the pods that serve nobody outside of them."""
HARMLESS = "NET_BIND_SERVICE"  # the one capability that restricted Pod Security lets a container add
VERDICTS: Mapping[str, Verdict] = {"True": "ok", "False": "bad"}
EXPRESSIONS = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, values: value is not None,
    "DoesNotExist": lambda value, values: value is None,
}


async def checked(session: Session, tenant: Manifest, now: datetime, settings: Settings) -> list[Check]:
    """All answers."""
    namespace, name = tenant["metadata"]["namespace"], tenant["metadata"]["name"]
    cluster, store = session.cluster, _store(tenant)

    async def template() -> Manifest:
        found = await cluster.get(kinds.DEPLOYMENT, name, namespace)
        return dict(((found or {}).get("spec") or {}).get("template") or {})

    async def neighbours() -> Answer:
        return shared(tenant, await cluster.get(kinds.DATA_STORE, store) if store else None)

    async def reach() -> Answer:
        labels = meta.labels_of(await template()) or {names.LABEL_NAME: name}
        return reached(labels, await cluster.list(kinds.NETWORK_POLICY, namespace))

    async def door() -> Answer:
        found = await cluster.get(kinds.DATA_STORE, store) if store else None
        if found is None or names.LABEL_POOL not in meta.labels_of(found):
            return (
                "unsure",
                f"DataStore {store or '(none)'} is not of a pool: who reaches it is for its own network to say",
            )
        called = poolnames.etcd(store)
        return guarded(called, await cluster.get(kinds.NETWORK_POLICY, called, settings.namespace))

    questions: Sequence[Question] = (
        ("what its store refuses it", lambda: _at_once(refused(tenant, now))),
        ("whom it shares its store with", neighbours),
        ("who reaches its store", door),
        ("who reaches its pods", reach),
        ("what its pods may do", lambda: _of(template, confined)),
        ("what of the node they see", lambda: _of(template, apart)),
        ("whether they hold a token", lambda: _of(template, tokens)),
    )
    return await asked(questions)


def refused(tenant: Manifest, now: datetime) -> Answer:
    """What the provider found when it tried the tenant's own credentials in its store."""
    said = find((tenant.get("status") or {}).get("conditions"), "StorageIsolated")
    if said is None:
        return "unsure", "not tried yet: it has no place in a store"
    since = f", since {age(said['lastTransitionTime'], now)} ago" if said.get("lastTransitionTime") else ""
    words = str(said.get("message") or said.get("reason"))
    return VERDICTS.get(str(said.get("status")), "unsure"), words + since


def shared(tenant: Manifest, store: Manifest | None) -> Answer:
    """Neighbours in its store, and whether it can fill that."""
    if store is None:
        return "unsure", "its DataStore is not there"
    own = f"{tenant['metadata']['namespace']}/{tenant['metadata']['name']}"
    others = [each for each in (store.get("status") or {}).get("usedBy") or () if each != own]
    where = f"DataStore {store['metadata']['name']}"
    if not others:
        return "ok", f"nobody: it is alone in {where}"
    try:
        limit = quota.of(tenant).hard
    except Invalid as error:
        return "unsure", error.message
    count = f"{len(others)} other{'' if len(others) == 1 else 's'} in {where}"
    if limit is None:
        return "unsure", f"{count}, which it can fill: annotate it with {names.ANNOTATION_STORAGE_HARD_LIMIT}"
    return "ok", f"{count}; it may only delete above {quota.words(limit)}"


def guarded(called: str, policy: Manifest | None) -> Answer:
    """Whether the store of a pool lets in its own tenants and nobody else."""
    if policy is None:
        return "bad", f"everybody: NetworkPolicy {called} is not there; the provider makes it again within minutes"
    rules = (policy.get("spec") or {}).get("ingress") or ()
    open_ = [each for each in rules if not each.get("from") or any(not peer for peer in each["from"])]
    if open_:
        return "bad", f"everybody: NetworkPolicy {called} names no peers; somebody has changed it"
    return "ok", f"those of NetworkPolicy {called}: control planes that have something in it, and the provider"


def reached(labels: Mapping[str, str], policies: Iterable[Manifest]) -> Answer:
    """Which ports of pods with these labels a NetworkPolicy opens; policies only ever add."""
    found = [each for each in policies if _selects(each, labels)]
    if not found:
        return (
            "bad",
            "everybody at every port: no NetworkPolicy selects them; the provider makes it again within minutes",
        )
    ports: dict[str, None] = {}
    for policy in found:
        for rule in (policy.get("spec") or {}).get("ingress") or ():
            who = "" if rule.get("from") else " to all"
            if not rule.get("ports"):
                return _opened(policy, f"every port{who}", sure=not rule.get("from"))
            for each in rule["ports"]:
                if closed := _closed(each):
                    return _opened(policy, f"{closed}{who}", sure=not rule.get("from"))
                ports[str(each.get("port"))] = None
    return "ok", f"everybody at {', '.join(ports) or 'no port'}, nobody at any other"


def confined(template: Manifest) -> Answer:
    """Restricted Pod Security, container by container."""
    spec = template.get("spec") or {}
    found = [
        f"{each['name']} {fault}"
        for each in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        for fault in _faults({**(spec.get("securityContext") or {}), **(each.get("securityContext") or {})})
    ]
    if found:
        return "bad", f"{'; '.join(found)}: see spec.controlPlane.deployment"
    return "ok", "nothing beyond restricted Pod Security: no root, no privilege to gain, no capabilities"


def apart(template: Manifest) -> Answer:
    """Namespaces, paths and ports of the node."""
    spec = template.get("spec") or {}
    found = [each for each in ("hostNetwork", "hostPID", "hostIPC") if spec.get(each)]
    found += [f"the path {each['hostPath'].get('path')}" for each in spec.get("volumes") or () if each.get("hostPath")]
    ports = [port for each in spec.get("containers") or () for port in each.get("ports") or () if port.get("hostPort")]
    found += [f"the port {each['hostPort']}" for each in ports]
    return ("bad", f"{', '.join(found)}: see spec.controlPlane.deployment") if found else ("ok", "nothing")


def tokens(template: Manifest) -> Answer:
    """A token of the management cluster in a pod of the tenant's."""
    spec = template.get("spec") or {}
    projected = [
        volume["name"]
        for volume in spec.get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
        if "serviceAccountToken" in source
    ]
    if spec.get("automountServiceAccountToken") is not False:
        account = spec.get("serviceAccountName") or "default"
        return (
            "bad",
            f"that of ServiceAccount {account}: unset spec.controlPlane.deployment.automountServiceAccountToken",
        )
    return ("bad", f"in volume {', '.join(projected)}") if projected else ("ok", "none of the management cluster's")


def _faults(context: Mapping[str, Any]) -> Iterable[str]:
    capabilities = context.get("capabilities") or {}
    if context.get("privileged"):
        yield "is privileged"
    if not context.get("runAsNonRoot") or context.get("runAsUser") == 0:
        yield "may run as root"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "keeps capabilities"
    if added := [each for each in capabilities.get("add") or () if each != HARMLESS]:
        yield f"adds {', '.join(added)}"
    if (context.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "has no seccomp profile"


def _selects(policy: Manifest, labels: Mapping[str, str]) -> bool:
    spec = policy.get("spec") or {}
    selector = spec.get("podSelector") or {}
    wanted = (selector.get("matchLabels") or {}).items()
    expressions = selector.get("matchExpressions") or ()
    return (
        "Ingress" in (spec.get("policyTypes") or ("Ingress",))
        and wanted <= labels.items()
        and all(EXPRESSIONS[e["operator"]](labels.get(e["key"]), e.get("values") or ()) for e in expressions)
    )


def _closed(opened: Mapping[str, Any]) -> str:
    """What of `CLOSED` a port, or a range of them, opens."""
    port = opened.get("port")
    if port is None:
        return "every port"
    if not isinstance(port, int):
        return ""
    last = opened.get("endPort") or port
    return next((f"{number} ({what})" for number, what in CLOSED.items() if port <= number <= last), "")


def _opened(policy: Manifest, what: str, *, sure: bool) -> Answer:
    words = f"NetworkPolicy {policy['metadata']['name']} opens {what}"
    return ("bad", words) if sure else ("unsure", f"{words} to the peers that it names")


def _store(tenant: Manifest) -> str:
    storage = (tenant.get("status") or {}).get("storage") or {}
    return str(storage.get("dataStoreName") or tenant["spec"].get("dataStore") or "")


async def _at_once(answer: Answer) -> Answer:
    return answer


async def _of(template: Any, judged: Any) -> Answer:
    found = await template()
    if not found:
        return "unsure", "it has no pods yet"
    answer: Answer = judged(found)
    return answer
