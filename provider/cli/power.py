"""`kamaji sleep` and `kamaji wake`: a tenant's pods go and come back, its state stays. Called by `commands`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cli.session import MANAGER, Session
from provider.cli.trouble import WRONG_USE, Trouble
from provider.manifest import Manifest, meta

AWAKE = f"{names.EXTENSION_GROUP}/awake-replicas"
"""Annotation: how many replicas it had before it was put to sleep."""

TOPOLOGY_OWNED = f"topology.{names.CAPI_GROUP}/owned"
DEFAULT = 2  # replicas, where nobody says how many


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """What is scaled: the tenant itself, or what else says how many replicas it has."""

    kind: Kind
    namespace: str
    name: str
    replicas: int
    path: tuple[str, ...]  # of the number, below the object

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.kind.kind} {self.namespace}/{self.name}"

    def patch(self, replicas: int, remembered: int | None) -> dict[str, Any]:
        """A merge patch to that many, which remembers how many there were; None forgets it."""
        value: Any = replicas
        for key in reversed(self.path):
            value = {key: value}
        note = None if remembered is None else str(remembered)
        return {**value, "metadata": {"annotations": {AWAKE: note}}}


async def scaled(session: Session, tenant: Manifest) -> Scaled:
    """Where a tenant's replicas are said.

    Of a control plane that a topology makes that is its Cluster: the topology controller would take back anything else.
    """
    kind, found = await session.asked(tenant)
    labels, namespace = meta.labels_of(found), tenant["metadata"]["namespace"]
    if TOPOLOGY_OWNED in labels and (name := labels.get(names.LABEL_CLUSTER_NAME)):
        cluster = await session.cluster.get(kinds.CLUSTER, name, namespace)
        if cluster is not None:
            return _of(kinds.CLUSTER, cluster, ("spec", "topology", "controlPlane", "replicas"))
    if kind is kinds.KAMAJI_CONTROL_PLANE:
        return _of(kind, found, ("spec", "replicas"))
    return _of(kind, found, ("spec", "controlPlane", "deployment", "replicas"))


async def slept(session: Session, tenant: Manifest) -> str:
    """Ask for no replicas; a sentence about it."""
    found = await scaled(session, tenant)
    if found.replicas == 0:
        return f"{found.words} sleeps already"
    await _write(session, found, found.patch(0, found.replicas))
    return f"{found.words} goes to sleep; it had {found.replicas} replicas"


async def woken(session: Session, tenant: Manifest, replicas: int | None) -> str:
    """Ask for as many replicas as said, or as it had, or one; a sentence about it."""
    if replicas is not None and replicas < 1:
        raise Trouble("awake means one replica and more: say --replicas 1, or use `kamaji sleep`", WRONG_USE)
    found = await scaled(session, tenant)
    if found.replicas > 0 and replicas in (None, found.replicas):
        return f"{found.words} is awake already, with {found.replicas} replicas"
    raw = await session.cluster.get(found.kind, found.name, found.namespace) or {}
    before = meta.annotations_of(raw).get(AWAKE, "")
    wanted = replicas or (int(before) if before.isdecimal() and int(before) else 1)
    await _write(session, found, found.patch(wanted, None))
    return f"{found.words} wakes, with {wanted} replica{'' if wanted == 1 else 's'}"


async def _write(session: Session, found: Scaled, patch: dict[str, Any]) -> None:
    await session.cluster.merge(found.kind, found.name, found.namespace, patch, manager=MANAGER)


def _of(kind: Kind, found: Manifest, path: tuple[str, ...]) -> Scaled:
    value: Any = found
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    metadata = found["metadata"]
    replicas = value if isinstance(value, int) else DEFAULT
    return Scaled(kind=kind, namespace=metadata["namespace"], name=metadata["name"], replicas=replicas, path=path)
