"""The objects of a DataStorePool: one etcd with TLS, its volume, and the DataStore that offers it. Applied by `reconcile.pool`.

`PARTS` is in the order in which they are applied; each reads from the view what those before it said. `network` is first, and
is applied also while what a pool asks is refused: who is placed in a store that stands has to reach it. `store` comes after
them and by itself: a pool is offered to tenants only once its etcd refuses strangers. `schedule` comes last: what is wrong with
snapshots holds up nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from provider.hosting.desired.pool import (
    authorities,
    certificates,
    configuration,
    disruption,
    members,
    network,
    schedule,
    snapshot,
    store,
    volume,
)
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest

Build = Callable[[PoolView], Iterator[Manifest]]

PARTS: tuple[tuple[str, Build], ...] = (
    ("network", network.build),
    ("authorities", authorities.build),
    ("certificates", certificates.build),
    ("volume", volume.build),
    ("configuration", configuration.build),
    ("disruption", disruption.build),
    ("snapshot", snapshot.build),
    ("members", members.build),
)
NETWORK: tuple[str, Build] = PARTS[0]
OFFER: tuple[str, Build] = ("store", store.build)
SNAPSHOTS: tuple[str, Build] = ("schedule", schedule.build)
