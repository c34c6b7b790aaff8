"""Roles and bindings (rbac.authorization.k8s.io/v1). Called by builders of what exists inside a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provider.api import kinds
from provider.api.kinds import Kind
from provider.manifest import Manifest, meta

GROUP = "rbac.authorization.k8s.io"
Labels = Mapping[str, str]


def rule(resources: Sequence[str], verbs: Sequence[str], *, group: str = "", named: Sequence[str] = ()) -> Manifest:
    """One policy rule over resources of one API group, of all names or only of those `named`."""
    names = {"resourceNames": list(named)} if named else {}
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs), **names}


def group(name: str) -> Manifest:
    """A group as a subject."""
    return {"apiGroup": GROUP, "kind": "Group", "name": name}


def user(name: str) -> Manifest:
    """A user as a subject."""
    return {"apiGroup": GROUP, "kind": "User", "name": name}


def service_account(name: str, namespace: str) -> Manifest:
    """A service account as a subject."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def role(name: str, namespace: str, labels: Labels, *rules: Manifest) -> Manifest:
    """A Role."""
    return meta.new(kinds.ROLE, name, namespace, labels=labels, rules=list(rules))


def cluster_role(name: str, labels: Labels, *rules: Manifest) -> Manifest:
    """A ClusterRole."""
    return meta.new(kinds.CLUSTER_ROLE, name, labels=labels, rules=list(rules))


def role_binding(name: str, namespace: str, labels: Labels, *subjects: Manifest) -> Manifest:
    """A RoleBinding to the Role of the same name."""
    return meta.new(
        kinds.ROLE_BINDING, name, namespace, labels=labels, roleRef=_to(kinds.ROLE, name), subjects=list(subjects)
    )


def cluster_role_binding(name: str, to: str, labels: Labels, *subjects: Manifest) -> Manifest:
    """A ClusterRoleBinding to the ClusterRole `to`."""
    return meta.new(
        kinds.CLUSTER_ROLE_BINDING, name, labels=labels, roleRef=_to(kinds.CLUSTER_ROLE, to), subjects=list(subjects)
    )


def _to(kind: Kind, name: str) -> Manifest:
    return {"apiGroup": GROUP, "kind": kind.kind, "name": name}
