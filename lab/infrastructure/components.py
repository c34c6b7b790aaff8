"""`infrastructure-components.yaml` and `metadata.yaml` of the provider, as clusterctl reads them from its repository.

The controller itself is no pod: it makes machines on the host, so it runs there, with a token of the ServiceAccount below.
`RULES` are all it may do; a test holds them to what the code asks for. Called by `lab.capi_repository`.
"""

from __future__ import annotations

from typing import Any

import yaml

from lab.infrastructure import kinds
from provider.api import crd, names
from provider.manifest import Manifest

NAMESPACE = "lab-infrastructure-system"
ACCOUNT = "lab-infrastructure-manager"
VERSION = "v0.1.0"
WATCHED = ["get", "list", "watch"]

RULES: list[dict[str, Any]] = [
    {"apiGroups": [kinds.GROUP], "resources": ["labclusters", "labmachines"], "verbs": [*WATCHED, "patch"]},
    {"apiGroups": [kinds.GROUP], "resources": ["labclusters/status", "labmachines/status"], "verbs": ["patch"]},
    {"apiGroups": [names.CAPI_GROUP], "resources": ["clusters", "machines"], "verbs": WATCHED},
    # Bootstrap data and the Clusters' kubeconfigs, each by its name.
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
]


def manifests() -> list[Manifest]:
    """Namespace, CRDs, and the controller's identity and rights."""
    labels = {f"{names.CAPI_GROUP}/provider": kinds.PROVIDER}
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": ACCOUNT}

    def named(kind: str, api: str, name: str, **body: Any) -> Manifest:
        return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels}, **body}

    account = named("ServiceAccount", "v1", ACCOUNT)
    account["metadata"]["namespace"] = NAMESPACE
    return [
        named("Namespace", "v1", NAMESPACE),
        *(crd.manifest(each) for each in kinds.ALL),
        account,
        named("ClusterRole", f"{rbac}/v1", ACCOUNT, rules=RULES),
        named("ClusterRoleBinding", f"{rbac}/v1", ACCOUNT, roleRef=role, subjects=[subject]),
    ]


def text() -> str:
    """The file, one document an object."""
    return yaml.safe_dump_all(manifests(), sort_keys=False, width=120)


def metadata() -> str:
    """Which releases speak which contract (clusterctl contract)."""
    major, minor, _ = VERSION.removeprefix("v").split(".")
    series = [{"major": int(major), "minor": int(minor), "contract": "v1beta2"}]
    head = {"apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3", "kind": "Metadata"}
    return yaml.safe_dump({**head, "releaseSeries": series}, sort_keys=False)
