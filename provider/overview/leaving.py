"""What would be lost or held up if the provider went, and how it is taken away when nothing is. Pure.

Said by `kamaji uninstall`, and by the Job that Helm runs before it takes a release away (`provider/jobs.py`).

The provider is taken away by what brought it: Helm and clusterctl keep books of what they installed. This is the look before
that: a tenant whose provider is gone is served on, and can neither be repaired nor deleted; CRDs that go take tenants along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from provider.api import kinds
from provider.api.kinds import Kind
from provider.manifest import Manifest, meta

TENANTS = (kinds.KAMAJI_CONTROL_PLANE, kinds.TENANT_CONTROL_PLANE)
"""While there is one of these, the provider stays."""
OTHERS = (
    *(kinds.TENANT_BACKUP_SCHEDULE, kinds.TENANT_BACKUP, kinds.TENANT_RESTORE, kinds.TENANT_AUTOSCALER),
    *(kinds.KUBECONFIG_GENERATOR, kinds.DATA_STORE_POOL, kinds.DATA_STORE),
)
"""Deleted in this order while the provider is there to let go of them; stores of pools go with their pools."""
OURS = {each.kind for each in (*TENANTS, *OTHERS)}
RELEASE = "meta.helm.sh/release-name"
INVENTORY = "clusterctl.cluster.x-k8s.io"
NAMED = 5  # of each kind


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """What is there still, by kind, and the commands that follow."""

    tenants: Mapping[str, tuple[str, ...]]
    others: Mapping[str, tuple[str, ...]]
    next: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """Whether the provider may go."""
        return not self.tenants

    def said(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "allowed": self.allowed,
            "tenants": {kind: list(some) for kind, some in self.tenants.items()},
            "others": {kind: list(some) for kind, some in self.others.items()},
            "next": list(self.next),
        }

    def sentences(self) -> Iterable[str]:
        """For people."""
        if not self.allowed:
            yield "The provider has to stay while there are tenants:"
            yield from (f"  {line}" for line in _lines(self.tenants))
            yield "Delete them first; their workers lose their cluster, and their state is erased:"
        elif self.others:
            yield "There are no tenants. What else is there has to go while the provider can let go of it:"
            yield from (f"  {line}" for line in _lines(self.others))
        else:
            yield "There are no tenants, and nothing else that the provider looks after."
        yield from (f"    {each}" for each in self.next)


def leaving(found: Mapping[Kind, Iterable[Manifest]], deployment: Manifest | None, namespace: str) -> Leaving:
    """Of all that is there, and of the provider's Deployment, which tells how it was installed."""
    tenants, others = _named(found, TENANTS), _named(found, OTHERS)
    rest = (*_deletions(found, OTHERS), *_removal(deployment, namespace))
    return Leaving(tenants=tenants, others=others, next=tuple(_deletions(found, TENANTS)) if tenants else rest)


def to_helm(left: Leaving, release: str, revision: str) -> Iterable[str]:
    """What is said to who has begun to uninstall a release, NAMESPACE/NAME: Helm counts it as half gone from then on."""
    yield from left.sentences()
    namespace, _, name = release.partition("/")
    yield "If it shall stay after all, for Helm calls it `uninstalling` now and upgrades it no more:"
    yield f"    helm rollback {name} {revision} -n {namespace}"
    yield "If tenants shall be served on with nobody who can repair or delete them:"
    yield f"    helm uninstall {name} -n {namespace} --no-hooks"


def _deletions(found: Mapping[Kind, Iterable[Manifest]], some: Iterable[Kind]) -> Iterable[str]:
    """What makes the others goes first: a Cluster's control plane with it, a KamajiControlPlane's tenant, a pool's stores."""
    lines: dict[str, None] = {}
    for kind in some:
        for each in found.get(kind) or ():
            owner = _maker(each)
            if owner is None:
                lines[_deletion(f"{kind.plural}.{kind.group}", each, each["metadata"]["name"])] = None
            elif owner["kind"] not in OURS:
                group = str(owner.get("apiVersion", "")).rpartition("/")[0]
                lines[_deletion(f"{owner['kind'].lower()}.{group}".rstrip("."), each, owner["name"])] = None
    yield from list(lines)[: 2 * NAMED]
    if len(lines) > 2 * NAMED:
        yield f"… and {len(lines) - 2 * NAMED} more"


def _deletion(resource: str, beside: Manifest, name: str) -> str:
    namespace = beside["metadata"].get("namespace")
    return f"kubectl {f'-n {namespace} ' if namespace else ''}delete {resource} {name}"


def _removal(deployment: Manifest | None, namespace: str) -> Iterable[str]:
    metadata = (deployment or {}).get("metadata") or {}
    if release := meta.annotations_of(deployment or {"metadata": {}}).get(RELEASE):
        yield f"helm uninstall {release} -n {metadata['namespace']}   # leaves the CRDs"
    elif deployment is not None and INVENTORY in meta.labels_of(deployment):
        yield "clusterctl delete --control-plane kamaji --include-crd --include-namespace"
    else:
        yield f"kubectl delete -f install.yaml   # as it was applied; the provider's namespace is {namespace}"


def _maker(found: Manifest) -> Mapping[str, Any] | None:
    """The object that made it, with which it goes."""
    return next((each for each in found["metadata"].get("ownerReferences") or () if each.get("controller")), None)


def _named(found: Mapping[Kind, Iterable[Manifest]], some: Iterable[Kind]) -> dict[str, tuple[str, ...]]:
    lists = {each.kind: tuple(sorted(map(_name, found.get(each) or ()))) for each in some}
    return {kind: all_ for kind, all_ in lists.items() if all_}


def _name(found: Manifest) -> str:
    metadata = found["metadata"]
    inside = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{inside}{metadata['name']}"


def _lines(found: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    for kind, all_ in found.items():
        more = f" and {len(all_) - NAMED} more" if len(all_) > NAMED else ""
        yield f"{len(all_)} {kind}: {', '.join(all_[:NAMED])}{more}"
