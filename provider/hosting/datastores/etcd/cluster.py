"""An etcd's members as its root: who they are, which of them answer, and how one is let in, given a vote and taken out.

For stores that the provider makes itself. Others' members are their owners' business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import grpc

from provider.hosting.datastores.etcd.store import LIMIT, EtcdStore

BEHIND = "in sync with leader"  # of what etcd says of a learner that cannot be given a vote yet


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A member as the cluster lists it."""

    id: int
    host: str  # of its first peer URL
    started: bool  # it has told where clients find it, which it does when it first serves
    learner: bool


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one member says of itself."""

    id: int
    version: str
    leader: bool
    size: int  # bytes of its database


class EtcdCluster(EtcdStore):
    """The store and its members. All methods but `answer` ask the cluster, which needs its quorum."""

    async def members(self) -> tuple[Listed, ...]:
        """By what a quorum has agreed on."""
        async with self.told():
            found = await self.wire.cluster.member_list(timeout=LIMIT)
        return tuple(
            Listed(
                id=each.ID,
                host=urlsplit(each.peerURLs[0]).hostname or "",
                started=bool(each.clientURLs),
                learner=each.isLearner,
            )
            for each in found.members
        )

    async def answer(self) -> Answer:
        """Of the one member that this connection leads to, quorum or not."""
        async with self.told():
            said = await self.wire.maintenance.status(timeout=LIMIT)
        own = int(said.header.member_id)
        return Answer(id=own, version=str(said.version), leader=said.leader == own, size=int(said.dbSize))

    async def snapshot(self) -> AsyncIterator[bytes]:
        """The database as it is now, piece by piece, and its checksum at the end."""
        async with self.told():
            async for blob in self.wire.maintenance.snapshot(max_attempts=1):
                yield blob

    async def let_in(self, peer_url: str) -> None:
        """As a learner: it gets everything and has no vote, so that the quorum does not wait for who was never there."""
        async with self.told():
            await self.wire.cluster.member_add([peer_url], is_learner=True, timeout=LIMIT)

    async def give_vote(self, member: int) -> bool:
        """False while the learner lacks too much; etcd judges that."""
        async with self.told():
            try:
                await self.wire.cluster.member_promote(member, timeout=LIMIT, max_attempts=1)
            except grpc.aio.AioRpcError as error:
                if BEHIND in str(error.details()):
                    return False
                raise
        return True

    async def take_out(self, member: int) -> None:
        """For good: what it has on its volume is worth nothing afterwards. etcd refuses what would cost the quorum."""
        async with self.told():
            await self.wire.cluster.member_remove(member, timeout=LIMIT)
