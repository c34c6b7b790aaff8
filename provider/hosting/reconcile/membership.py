"""Asks a pool's etcd who its members are and how they do, and takes the steps that `repair` decides. Called by `poolstore`."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from provider.api import kinds
from provider.hosting.datastores.errors import StoreError
from provider.hosting.datastores.etcd.cluster import Answer, EtcdCluster, Listed
from provider.hosting.desired.pool import repair
from provider.hosting.desired.pool.configuration import peer_url
from provider.hosting.desired.pool.network import endpoints, member_endpoint
from provider.hosting.desired.pool.repair import Step
from provider.hosting.reconcile import access
from provider.hosting.reconcile.context import Context
from provider.hosting.rotation import stores
from provider.hosting.storeview import Member, PoolView

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds for the cluster to say who is in it
LOOK = 3.0  # seconds for one member to answer


async def seen(context: Context, view: PoolView) -> PoolView:
    """The view with its members, as it is where no quorum says who they are."""
    try:
        async with asyncio.timeout(PATIENCE), access.opened(context, view, *endpoints(view)) as store:
            listed = await store.members()
    except (StoreError, TimeoutError):
        return view
    answers = await asyncio.gather(*(_answer(context, view, each) for each in listed))
    found = tuple(map(_member, listed, answers))
    if (asked := stores.question(view)) is not None and asked.signs:
        shown = await asyncio.gather(*(_answer(context, view, each, newest=True) for each in listed))
        found = tuple(replace(each, shows=said is not None) for each, said in zip(found, shown, strict=True))
    return replace(view, membership=found)


async def mended(context: Context, view: PoolView) -> Step | None:
    """Clear away what was given up, then take the next step: which one, None when there was none. StoreError: refused."""
    for each in repair.clearance(view):
        metadata = each["metadata"]
        where, uid = metadata.get("namespace"), metadata["uid"]
        await context.cluster.delete(kinds.of(each), metadata["name"], where, uid=uid)
    step = repair.step(view)
    if step is None:
        return None
    if step.kind != "promote":
        log.info("store %s: %s", view.name, step.why)
    if step.kind == "restart":
        for pod in (step.member, *step.also):
            await context.cluster.delete(kinds.POD, pod, view.namespace)
        return step
    async with asyncio.timeout(PATIENCE), access.opened(context, view, *_door(view, step)) as store:
        await _taken(store, view, step)
    return step


def _door(view: PoolView, step: Step) -> list[str]:
    """Where a step is asked for. A vote is given by the leader itself: another member would pass the question on without
    saying who asks, which the leader refuses while auth is on, and would do so until the time is over (etcd 3.6).
    """
    leader = next((each.name for each in view.membership or () if each.leader), None)
    if step.kind == "promote" and leader is not None:
        return [member_endpoint(view, leader)]
    return endpoints(view)


async def _taken(store: EtcdCluster, view: PoolView, step: Step) -> None:
    if step.kind == "promote":
        await store.give_vote(step.id)
        return
    if step.kind == "replace":
        await store.take_out(step.id)
    await store.let_in(peer_url(view, step.member))


async def _answer(context: Context, view: PoolView, listed: Listed, *, newest: bool = False) -> Answer | None:
    """What a member says of itself; None when it says nothing, or another answers in its place.

    `newest`: also when what it shows was not signed by the authority that signs now.
    """
    where = member_endpoint(view, _name(listed))
    try:
        async with asyncio.timeout(LOOK), access.opened(context, view, where, newest=newest) as store:
            found = await store.answer()
    except (StoreError, TimeoutError):
        return None
    return found if found.id == listed.id else None


def _member(listed: Listed, answer: Answer | None) -> Member:
    return Member(
        id=listed.id,
        name=_name(listed),
        started=listed.started,
        learner=listed.learner,
        answers=answer is not None,
        leader=answer is not None and answer.leader,
        version=answer.version if answer else "",
    )


def _name(listed: Listed) -> str:
    """The pod, which is the first label of the host name that its peer URL has."""
    return listed.host.partition(".")[0]
