"""A real etcd, and the driver or etcd's own client in it as anybody; for the tests beside this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.servers import Authority, Etcd
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.view import Keyspace


@dataclass(frozen=True)
class Lent:
    """A real etcd, and the way in for anybody its authority vouches for."""

    etcd: Etcd
    authority: Authority

    def store(self, user: str = "root", *endpoints: str) -> EtcdStore:
        return EtcdStore(endpoints or (self.etcd.endpoint,), self.authority.certificate, self.authority.client(user))

    async def wire(self, user: str = "root") -> Any:
        """etcd's own client, connected as that user."""
        pair = self.authority.client(user)
        found: Any = await dialing.client([self.etcd.endpoint], self.authority.certificate, pair)
        return found


def keyspace(schema: str, user: str = "") -> Keyspace:
    return Keyspace(schema=schema, user=user or schema)
