"""Takes over what upstream's operator made: judges its pods, holds what it held, clears what would call it. By the tenant pass.

Nothing here remembers that a tenant was taken over: each pass looks at what stands. What upstream wrote by Update becomes
ours to say in `cluster.apply`; which of its certificates and kubeconfigs stay is `credential`'s and `kubeconfigs`' matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from provider.api import kinds, names
from provider.api.verdict import Verdict
from provider.cluster.client import Cluster
from provider.hosting.desired import deployment
from provider.hosting.parts import PARTS
from provider.hosting.reconcile.context import Context
from provider.hosting.view import View

FORMER_WEBHOOKS = ("kamaji-freeze", "kamaji-write-permissions")
"""They call upstream's operator and fail closed: once that is gone, a tenant with one of them could write nothing."""


def judged(view: View) -> View:
    """The view that knows whether the pods stay as upstream made them: built in thought, with the certificates that would be.

    All or nothing: if something that matters differs, everything that would roll the pods is made new in the same pass, so
    that they are rolled once.
    """
    live = view.seen.get(kinds.DEPLOYMENT, view.name, view.namespace)
    if live is None or not deployment.upstreams.made(live):
        return view
    kept = replace(view, kept=True)
    thought = kept
    for step in PARTS:
        if step.target != "management":
            continue
        try:
            said = list(step.part.build(thought))
        except Verdict:
            continue  # the walk will say so; until then nothing is touched
        if step.name == deployment.NAME:
            return kept if deployment.upstreams.made(said[0]) else view
        thought = thought.folded(*(each for each in said if each["kind"] == kinds.SECRET.kind))
    return kept


async def held(context: Context, view: View) -> View:
    """With our finalizer on an object whose keyspace somebody else recorded: what holds data is never without it."""
    finalizers = list(view.raw["metadata"].get("finalizers") or ())
    if view.keyspace is None or names.FINALIZER_TENANT in finalizers:
        return view
    patch = {
        "metadata": {
            "finalizers": [*finalizers, names.FINALIZER_TENANT],
            "resourceVersion": view.raw["metadata"]["resourceVersion"],
        }
    }
    raw = await context.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, view.name, view.namespace, patch, manager=names.HOSTING_MANAGER
    )
    return replace(view, raw=raw)


@dataclass
class Inside:
    """What upstream's operator left in tenants, cleared once a tenant in the life of this process."""

    _cleared: set[str] = field(default_factory=set)  # UIDs of TenantControlPlanes

    async def cleared(self, view: View, session: Cluster) -> None:
        """Take away the webhooks of upstream's operator. ApiError when the tenant does not answer."""
        uid = view.tcp.metadata.uid
        if uid in self._cleared:
            return
        for name in FORMER_WEBHOOKS:
            if (found := await session.get(kinds.ADMISSION_WEBHOOK, name)) is not None:
                await session.delete(kinds.ADMISSION_WEBHOOK, name, uid=found["metadata"]["uid"])
        self._cleared.add(uid)
