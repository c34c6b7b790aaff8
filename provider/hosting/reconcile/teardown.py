"""Ends a tenant: its pods, then its keys, role and user with proof, then its finalizers. Called by the tenant pass.

Each step stands alone and can be taken twice; none needs a Secret or Service of the tenant that someone may have removed.
What the steps need is in the object itself (`status.storage`) and in the store. A step that cannot be taken is told in the
condition Ready, which names who or what is in the way.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from provider.api import kinds, names
from provider.api.verdict import NotReady
from provider.cluster.errors import ApiError, Forbidden, NotFound, Refused
from provider.hosting import encryption
from provider.hosting.reconcile import erasure, finalizer, handover, note
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.storage import Storage
from provider.hosting.storeview import claim_of, overridden
from provider.hosting.view import NATS, Keyspace
from provider.manifest import Manifest, meta
from provider.manifest.condition import Condition
from provider.manifest.happening import Happening

OURS = (names.FINALIZER_TENANT, names.FINALIZER_SOOT)
PODS_PATIENCE = 60.0  # seconds for pods to end; a pod on a dead node must not hold a tenant for ever
PODS_CHECK = 5.0
STORE_CHECK = 10.0


async def tenant(context: Context, storage: Storage, raw: Manifest) -> float | None:
    """One step of the end. Returns seconds after which to go on, None when it is over or events will tell."""
    finalizers = raw["metadata"].get("finalizers") or []
    if not any(map(_ours, finalizers)):
        await _tell_of_others(context, raw, finalizers)
        return None
    if names.ANNOTATION_DELETE_FOR_MOVE in meta.annotations_of(raw):  # its pods serve on for a while: see handover
        await _release(context, raw, finalizers)
        return None
    try:
        await _end_pods(context, raw)
        remaining = await _pods(context, raw)
        if remaining and _would_come_back(raw):
            return await _await_pods(context, raw, remaining)
        erased = await _erase(context, storage, raw)
    except NotReady as wait:
        await _report(context, raw, wait)
        return STORE_CHECK
    if remaining:
        return await _await_pods(context, raw, remaining)
    if erased:  # told first: of an object that is gone nobody could tell any more
        await context.events.record(raw, [erasure.happening(*erased)])
    await _release(context, raw, finalizers)
    return None


async def orphan(context: Context, name: str, namespace: str) -> None:
    """After a tenant that somebody took away by force: let go of the Secret that upstream's operator held for its end."""
    secret = await context.cluster.get(kinds.SECRET, names.datastore_config_secret(name), namespace)
    if secret is not None and secret["metadata"].get("deletionTimestamp"):
        await _release_secret(context, secret)
    await _release_key(context, name, namespace)


def _ours(finalizer: str) -> bool:
    return finalizer in OURS or finalizer.startswith(names.FINALIZER_OVERRIDE)


def _would_come_back(raw: Manifest) -> bool:
    """Whether a pod that still runs can make anew what is erased: NATS has no user of the tenant's to shut out first."""
    return (((raw.get("status") or {}).get("storage") or {}).get("driver")) == NATS


async def _await_pods(context: Context, raw: Manifest, remaining: list[str]) -> float:
    await _report(context, raw, NotReady("PodsEnding", f"waiting for these pods to end: {', '.join(remaining)}"))
    return PODS_CHECK


async def _end_pods(context: Context, raw: Manifest) -> None:
    name, namespace = raw["metadata"]["name"], raw["metadata"]["namespace"]
    try:
        await handover.ended(context, raw)
        await context.cluster.delete(kinds.DEPLOYMENT, name, namespace)
    except (Forbidden, Refused) as error:
        raise NotReady(
            "DeletionRefused", f"the management cluster does not let Deployment {namespace}/{name} be deleted: {error}"
        ) from error


async def _erase(context: Context, storage: Storage, raw: Manifest) -> tuple[Keyspace, list[str]] | None:
    """Drop the tenant's data with proof; which it was and where. None when no keyspace was recorded.

    Only in stores for which a finalizer is there: who takes one off leaves the keys in that store where they are.
    """
    claim = claim_of(raw)
    if claim is None:
        return None
    stores = []
    for store in sorted(claim.stores):
        held = names.FINALIZER_OVERRIDE + store if store in overridden(raw) else names.FINALIZER_TENANT
        if held in raw["metadata"]["finalizers"]:
            await erasure.refuse_shared(context, raw, replace(claim, stores=frozenset({store})), held)
            await erasure.erase(context, storage, claim.keyspace, store, raw=raw, held=held)
            stores.append(store)
    return (claim.keyspace, stores) if stores else None


async def _pods(context: Context, raw: Manifest) -> list[str]:
    """`pod on node` of the pods that are left; none once our patience is over."""
    metadata = raw["metadata"]
    since = datetime.fromisoformat(metadata["deletionTimestamp"])
    if (context.clock() - since).total_seconds() > PODS_PATIENCE:
        return []
    labels = {names.LABEL_NAME: metadata["name"], names.LABEL_COMPONENT: "deployment"}
    found = await context.cluster.list(kinds.POD, metadata["namespace"], labels=labels)
    return sorted(f"{each['metadata']['name']} on {each['spec'].get('nodeName') or 'no node'}" for each in found)


async def _report(context: Context, raw: Manifest, wait: NotReady) -> None:
    wanted = Condition(type="Ready", status="False", reason=wait.reason, message=f"deleting: {wait.message}")
    written = await note.condition(context, raw, wanted)
    if written and wait.reason != "PodsEnding":  # which is how every end goes
        await context.events.record(raw, [Happening(wait.reason, wait.message, warning=True, action="Delete")])


async def _tell_of_others(context: Context, raw: Manifest, finalizers: list[str]) -> None:
    """We are done and somebody else is not: say who, for it is our object that does not go."""
    if finalizers:
        said = f"the control plane is gone; the object is held by finalizer {', '.join(finalizers)}, which is not ours"
        await _report(context, raw, NotReady("HeldByOthers", said))


async def _release(context: Context, raw: Manifest, finalizers: list[str]) -> None:
    metadata = raw["metadata"]
    secret = await context.cluster.get(
        kinds.SECRET, names.datastore_config_secret(metadata["name"]), metadata["namespace"]
    )
    if secret is not None:
        await _release_secret(context, secret)
    await _release_key(context, metadata["name"], metadata["namespace"])
    rest = [each for each in finalizers if not _ours(each)]
    # What was reported meanwhile is newer than `raw`: a finalizer that somebody added since then makes it a conflict.
    patch = {"metadata": {"finalizers": rest, "resourceVersion": metadata["resourceVersion"]}}
    await context.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, metadata["name"], metadata["namespace"], patch, manager=names.HOSTING_MANAGER
    )


async def _release_secret(context: Context, secret: Manifest) -> None:
    """Upstream's operator holds the datastore Secret by a finalizer; after a take-over nobody else would remove it."""
    metadata = secret["metadata"]
    held = metadata.get("finalizers") or []
    if names.FINALIZER_DATASTORE_SECRET not in held:
        return
    patch = {"metadata": {"finalizers": [each for each in held if each != names.FINALIZER_DATASTORE_SECRET]}}
    try:
        await context.cluster.merge(
            kinds.SECRET, metadata["name"], metadata["namespace"], patch, manager=names.HOSTING_MANAGER
        )
    except ApiError as error:
        if error.status != 404:  # it went meanwhile
            raise


async def _release_key(context: Context, name: str, namespace: str) -> None:
    """The tenant goes, so that nothing is left that its key could be needed for."""
    for each in encryption.NODES:
        secret = await context.cluster.get(kinds.SECRET, each.secret(name), namespace)
        if secret is not None:
            with suppress(NotFound):
                await finalizer.released(context.cluster, secret, names.FINALIZER_KEY)
