"""Limits what may be written inside a tenant: a ValidatingAdmissionPolicy of its own API server, so no webhook can be down.

By spec.writePermissions, by the hard limit of what it may take up in its store (`hosting.quota`), while it is held back for
having filled that (`reconcile.throttling`), and while its keys move to another store: etcd refuses to write them then, and a
second policy says in words why (`held`).

Blocked is what people and their workloads write. What control plane and nodes live on goes on: their own identities, leases
of the namespaces they use, and the tokens with which a node joins. Status is nobody's wish and is never blocked.
Policies do not guard themselves: who deletes this one as the tenant's administrator has it back within seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names
from provider.api.tenantcontrolplane import WritePermissions
from provider.api.verdict import Invalid
from provider.hosting import migration, quota
from provider.hosting.view import View
from provider.manifest import Manifest, meta

NAME = "write-permissions"
OBJECT = "kamaji-write-permissions"  # upstream's name, of another kind
LABELS = {names.LABEL_PROJECT: names.PROJECT}

# Whom a limit would only break: the control plane's programs, nodes on their way in and in, controllers and the agents of
# kube-system. The super-admin is the provider itself; its kubeconfig is not handed to tenants.
SUPER_ADMIN = "kubernetes-super-admin"
USERS = ("system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", SUPER_ADMIN)
GROUPS = ("system:nodes", "system:bootstrappers", "system:serviceaccounts:kube-system")
OWN_KUBECONFIGS = ("super-admin.conf", "super-admin.svc")

CONDITIONS = {
    "not-the-control-plane": f"!(request.userInfo.username in {list(USERS)})",
    "not-a-node": f"!has(request.userInfo.groups) || !request.userInfo.groups.exists(each, each in {list(GROUPS)})",
    "not-a-heartbeat": "!(request.resource.group == 'coordination.k8s.io' && request.resource.resource == 'leases'"
    " && request.namespace in ['kube-system', 'kube-node-lease'])",
    "not-a-join": "!(request.resource.group == '' && request.resource.resource == 'secrets'"
    " && request.namespace == 'kube-system'"
    " && (request.operation == 'DELETE' ? oldObject : object).?type.orValue('') == 'bootstrap.kubernetes.io/token')",
}

# Subresources by which a user writes the object itself; an eviction is a deletion that says CREATE.
RESIZED = ["*/scale", "pods/ephemeralcontainers", "pods/resize"]
EVICTED = ["pods/eviction"]
# What is asked and not stored, and what is written again and again in its place.
SMALL = "request.resource.group in ['authentication.k8s.io', 'authorization.k8s.io', 'coordination.k8s.io']"
LEAVING = "(request.operation == 'UPDATE' && has(oldObject.metadata.deletionTimestamp))"
EVICTION = "(has(request.subResource) && request.subResource == 'eviction')"


def build(view: View) -> Iterator[Manifest]:
    """Policies and bindings; nothing while nothing is blocked. Invalid when it would shut out the provider itself."""
    if migration.all_frozen(view.move):
        yield from held()
    limits = view.tcp.spec.write_permissions
    too_much = [
        *([_full(quota.of(view.raw).hard or 0, view.name)] if full(view) else ()),
        *([_too_heavy(view.name)] if held_back(view) else ()),
    ]
    if not limits.limited and not too_much:
        return
    _refuse_self(view)
    rules, validations = _blocked(limits, view.name)
    if too_much:
        rules += [_rule("CREATE", ["*"]), _rule("UPDATE", ["*"])]
        validations += [_kept_small(each) for each in too_much]
    yield from _denied(OBJECT, rules, validations)


def held() -> Iterator[Manifest]:
    """What says that writes are held by a move, to whoever is not of the control plane; those are told by etcd alone.

    It lets nothing through that is not refused anyway. Its binding is not copied along with the tenant's other keys, so it ends
    with the last API server of the store that is left; a policy takes up to a second to begin or to end.
    """
    rules = [_rule(each, ["*"]) for each in ("CREATE", "UPDATE", "DELETE")]
    rules += [_rule("UPDATE", RESIZED), _rule("CREATE", EVICTED)]
    message = (
        "this cluster's state moves to another store, and writes are held for some seconds meanwhile: try again in a moment."
        " Reads go on"
    )
    yield from _denied(names.HELD_POLICY, rules, [{"expression": SMALL, "message": message, "reason": "Forbidden"}])


def full(view: View) -> bool:
    """Whether the tenant takes up all that it may."""
    try:
        return quota.of(view.raw).state == "hard"
    except Invalid:
        return False  # told by the part that judges the spec


def held_back(view: View) -> bool:
    """Whether what is made and changed inside is refused because the tenant had filled its store.

    While the store itself refuses to write, what says so cannot be written either: it stands from the time before, or not yet.
    """
    throttle = quota.throttle(view.raw)
    if throttle is None:
        return False
    stands = view.tenant is not None and view.tenant.get(kinds.ADMISSION_POLICY, OBJECT) is not None
    return stands or not throttle.closed


def report(view: View) -> dict[str, Any]:
    """Nothing: the phase word WriteLimited says it."""
    return {}


def _blocked(limits: WritePermissions, tenant: str) -> tuple[list[Manifest], list[Manifest]]:
    """(rules of what is matched, what is said of it), a limit at a time."""
    rules: list[Manifest] = []
    validations: list[Manifest] = []
    if limits.block_creation:
        rules.append(_rule("CREATE", ["*"]))
        allowed = f"request.operation != 'CREATE' || {EVICTION}"
        validations.append(_validation(allowed, "takes no new objects", "blockCreation", tenant))
    if limits.block_update:
        rules += [_rule("UPDATE", ["*"]), _rule("UPDATE", RESIZED)]
        validations.append(
            _validation("request.operation != 'UPDATE'", "lets no object be changed", "blockUpdate", tenant)
        )
    if limits.block_deletion:
        rules += [_rule("DELETE", ["*"]), _rule("CREATE", EVICTED)]
        allowed = f"request.operation != 'DELETE' && !{EVICTION}"
        validations.append(_validation(allowed, "lets no object be deleted", "blockDeletion", tenant))
    return rules, validations


def _full(hard: int, tenant: str) -> str:
    return (
        f"this cluster's state takes up all of the {quota.words(hard)} that it may: objects can be read and deleted,"
        f" not made or changed. Delete what is not needed and wait some minutes, or ask whoever runs its control plane to raise"
        f" annotation {names.ANNOTATION_STORAGE_HARD_LIMIT} of TenantControlPlane {tenant}"
    )


def _too_heavy(tenant: str) -> str:
    return (
        "so much was written in this cluster that the store it shares with others was full: for some minutes objects can be"
        " read and deleted, not made or changed. Find out what writes so much, and stop it; whoever runs its control plane"
        f" finds more at TenantControlPlane {tenant}"
    )


def _kept_small(message: str) -> Manifest:
    """Neither made nor changed is what would be stored; what is on its way out may be let go, by taking off finalizers."""
    return {
        "expression": f"request.operation == 'DELETE' || {SMALL} || {LEAVING}",
        "message": message,
        "reason": "Forbidden",
    }


def _denied(name: str, rules: list[Manifest], validations: list[Manifest]) -> Iterator[Manifest]:
    yield meta.new(
        kinds.ADMISSION_POLICY,
        name,
        labels=LABELS,
        spec={
            "failurePolicy": "Fail",
            "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": rules},
            "matchConditions": [{"name": each, "expression": said} for each, said in CONDITIONS.items()],
            "validations": validations,
        },
    )
    yield meta.new(
        kinds.ADMISSION_POLICY_BINDING,
        name,
        labels=LABELS,
        spec={"policyName": name, "validationActions": ["Deny"]},
    )


def _rule(operation: str, resources: list[str]) -> Manifest:
    return {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": [operation],
        "resources": resources,
        "scope": "*",
    }


def _validation(allowed: str, what: str, field: str, tenant: str) -> Manifest:
    message = (
        f"this cluster {what} for now: its writes are limited by spec.writePermissions.{field} of TenantControlPlane"
        f" {tenant}; ask whoever runs its control plane to lift that"
    )
    return {"expression": allowed, "message": message, "reason": "Forbidden"}


def _refuse_self(view: View) -> None:
    """The provider writes as the super-admin, whom the policy lets through, or could not write at all."""
    key = meta.annotations_of(view.raw).get(names.ANNOTATION_KUBECONFIG_SECRET_KEY)
    if key and key not in OWN_KUBECONFIGS:
        raise Invalid(
            "WritePermissionsShutOutProvider",
            f"annotation {names.ANNOTATION_KUBECONFIG_SECRET_KEY} names {key!r}, whose user spec.writePermissions would"
            " limit as well: remove the annotation, or spec.writePermissions",
        )
