"""`kamaji move`: a tenant's state goes to another DataStore. The spec asks for it; the provider does it, step by step."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provider.api import kinds, names
from provider.cli.following import Progress
from provider.cli.power import TOPOLOGY_OWNED
from provider.cli.session import MANAGER, Session
from provider.cli.trouble import ASKED_AND_NO, Trouble
from provider.cluster.errors import Forbidden
from provider.hosting.migration import UNDER_WAY, Phase
from provider.manifest import Manifest, meta
from provider.manifest.condition import find, holds

FIELD = {kinds.TENANT_CONTROL_PLANE: "dataStore", kinds.KAMAJI_CONTROL_PLANE: "dataStoreName"}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a tenant's state is, and where it is asked to be."""

    home: str
    asked: str  # by the spec; empty: its pool, or the provider's default, says it
    phase: str  # of a move of all of it; empty: none
    target: str  # of that move
    message: str  # why that has failed

    @property
    def under_way(self) -> bool:
        """Whether a move goes on."""
        return self.phase in UNDER_WAY

    def is_at(self, store: str) -> bool:
        """Whether it lives there, and nothing asks for anything else."""
        return self.home == store and self.asked in ("", store) and not self.under_way


def standing(tenant: Manifest) -> Standing:
    """As it is recorded. A move of overrides alone is none of this."""
    storage: Mapping[str, Any] = (tenant.get("status") or {}).get("storage") or {}
    move = storage.get("migration") or {}
    move = {} if move.get("resources") else move
    return Standing(
        home=str(storage.get("dataStoreName") or ""),
        asked=str(tenant["spec"].get("dataStore") or ""),
        phase=str(move.get("phase") or ""),
        target=str(move.get("target") or ""),
        message=str(move.get("message") or ""),
    )


async def begin(session: Session, tenant: Manifest, store: str) -> str:
    """Ask for it where the tenant's spec is said, unless that is so; where it was. Trouble where it cannot be."""
    name = f"{tenant['metadata']['namespace']}/{tenant['metadata']['name']}"
    seen = standing(tenant)
    if tenant["metadata"].get("deletionTimestamp"):
        raise Trouble(f"{name} is being deleted", ASKED_AND_NO)
    await _known(session, store)
    if seen.phase == Phase.FAILED and seen.target == store == seen.asked:
        words = (
            f"it was tried and failed: {seen.message}. Mend that, say `kamaji move {name} {seen.home}`, which erases what was"
            f" copied, then `kamaji move {name} {store}` again"
        )
        raise Trouble(words, ASKED_AND_NO)
    if seen.asked != store and not seen.is_at(store):
        await _ask(session, tenant, store)
    return seen.home


def judged(tenant: Manifest, store: str) -> Progress:
    """How far it is on its way there."""
    seen, status, metadata = standing(tenant), tenant.get("status") or {}, tenant["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    if seen.is_at(store):
        return Progress(words=f"{name} is in DataStore {store}", done=True)
    if seen.asked != store:
        return Progress(words=f"its spec.dataStore does not say {store} yet")
    if status.get("observedGeneration", 0) < metadata.get("generation", 1):
        return Progress(words="the provider has yet to look at it; `kamaji doctor` says whether one runs")
    if names.ANNOTATION_PAUSED in meta.annotations_of(tenant):
        return Progress(words=f"the tenant is paused: take the annotation {names.ANNOTATION_PAUSED} off")
    said = find(status.get("conditions"), "Migrated") or {}
    words = f"{said.get('reason') or seen.phase or 'Waiting'}: {said.get('message') or 'the provider begins with it'}"
    failed = seen.phase == Phase.FAILED or (not seen.under_way and holds(status.get("conditions"), "Stalled"))
    return Progress(words=words, failed=failed)


async def _known(session: Session, store: str) -> None:
    """Trouble when there is no such DataStore; who may not read them has to know himself."""
    try:
        if await session.cluster.get(kinds.DATA_STORE, store) is not None:
            return
        there = [each["metadata"]["name"] for each in await session.all(kinds.DATA_STORE)]
    except Forbidden:
        return
    close = difflib.get_close_matches(store, there, 1)
    hint = f"did you mean {close[0]}?" if close else "`kamaji stores` lists them"
    raise Trouble(f"there is no DataStore {store}; {hint}")


async def _ask(session: Session, tenant: Manifest, store: str) -> None:
    kind, asked = await session.asked(tenant)
    metadata = asked["metadata"]
    if TOPOLOGY_OWNED in meta.labels_of(asked) and _said_by_topology(asked):
        words = (
            f"the topology of its Cluster says dataStoreName of KamajiControlPlane {metadata['name']}: change it there"
        )
        raise Trouble(words)
    patch = {"spec": {FIELD[kind]: store}}
    await session.cluster.merge(kind, metadata["name"], metadata["namespace"], patch, manager=MANAGER)


def _said_by_topology(asked: Manifest) -> bool:
    """Whether the topology controller owns the field, and so would take it back."""
    return any(
        each.get("manager") == "capi-topology"
        and "f:dataStoreName" in ((each.get("fieldsV1") or {}).get("f:spec") or {})
        for each in asked["metadata"].get("managedFields") or ()
    )
