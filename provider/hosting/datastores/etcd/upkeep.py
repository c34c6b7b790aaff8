"""What root does to an etcd so that it stays small: compact, defragment a member, take the alarm off. Called by passes.

A function takes an `EtcdStore` that was entered as root. Whoever wants one member opens the store with its endpoint alone, and
looks at the id it says, for a name may lead to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import grpc
from etcd3aio.maintenance import AlarmType

from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.fitness import ROOT
from provider.hosting.datastores.etcd.ranges import PROBE
from provider.hosting.datastores.etcd.store import LIMIT, EtcdStore

SLOW = 600.0  # seconds for a member to write its database anew, or to drop what is compacted


@dataclass(frozen=True, kw_only=True)
class Member:
    """One server of the cluster, and where it is found by itself."""

    id: int
    name: str
    endpoint: str  # host:port


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one member says of its own database, in bytes, and of the cluster's leader."""

    member: int
    leader: int
    size: int
    in_use: int
    quota: int


async def revision(store: EtcdStore) -> int:
    """The newest one; no member is behind what this was read from."""
    async with store.asking() as wire:
        read = await dialing.settled(partial(wire.kv.get, PROBE, count_only=True, timeout=LIMIT))
    return int(read.header.revision)


async def compact(store: EtcdStore, upto: int, *, wait: bool = False) -> None:
    """Drop history before a revision. `wait` until it is off the pages. Nothing to do when somebody did it already."""
    async with store.asking() as wire:
        try:
            await wire.kv.compact(upto, physical=wait, timeout=SLOW if wait else LIMIT)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.OUT_OF_RANGE:
                raise


async def members(store: EtcdStore) -> list[Member]:
    """All of them. Where several say one client URL, as behind a Service, each is found at the host of its peer URL."""
    async with store.asking() as wire:
        listed = list((await wire.cluster.member_list(timeout=LIMIT)).members)
    said = [_authority(url) for each in listed for url in each.clientURLs[:1]]
    return [_member(each, shared=said.count(_authority(each.clientURLs[0])) > 1) for each in listed if each.clientURLs]


async def size(store: EtcdStore) -> Size:
    """Of the member that answers."""
    async with store.asking() as wire:
        status = await wire.maintenance.status(timeout=LIMIT)
    return Size(
        member=status.header.member_id,
        leader=status.leader,
        size=status.dbSize,
        in_use=status.dbSizeInUse,
        quota=status.dbSizeQuota,
    )


async def defragment(store: EtcdStore) -> None:
    """The member that answers writes its database anew. It answers nothing meanwhile."""
    async with store.asking() as wire:
        await wire.maintenance.defragment(timeout=SLOW, max_attempts=1)


async def hand_lead_to(store: EtcdStore, member: int) -> None:
    """Of the store opened at its leader."""
    async with store.asking() as wire:
        await wire.maintenance.move_leader(member, timeout=LIMIT)


async def disarm(store: EtcdStore) -> None:
    """Take NOSPACE off every member that has it."""
    async with store.asking() as wire:
        for each in (await wire.maintenance.alarms(timeout=LIMIT)).alarms:
            if each.alarm == AlarmType.NOSPACE:
                await wire.maintenance.alarm_deactivate(AlarmType.NOSPACE, member_id=each.memberID, timeout=LIMIT)


async def residents(store: EtcdStore) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """(users, roles, first segments of keys) of all who are in it, but root."""
    root = frozenset({ROOT})
    return await store.users() - root, await store.roles() - root, await store.keyspaces()


async def roles_of(store: EtcdStore, user: str) -> frozenset[str]:
    """Roles of a user who is there."""
    async with store.asking() as wire:
        return frozenset((await wire.auth.user_get(user, timeout=LIMIT)).roles)


def _member(listed: Any, *, shared: bool) -> Member:
    client, peer = urlsplit(listed.clientURLs[0]), urlsplit(listed.peerURLs[0])
    host = (peer if shared else client).hostname or ""
    where = f"[{host}]" if ":" in host else host
    return Member(id=listed.ID, name=listed.name or str(listed.ID), endpoint=f"{where}:{client.port}")


def _authority(url: str) -> str:
    return urlsplit(url).netloc
