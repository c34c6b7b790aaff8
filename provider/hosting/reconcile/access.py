"""The way into an etcd of a pool as its root, by the pool's own Secrets. Called by `poolstore` and `membership`."""

from __future__ import annotations

from provider.api import poolnames
from provider.hosting.datastores.etcd.cluster import EtcdCluster
from provider.hosting.desired.pool.certificates import root_pair
from provider.hosting.reconcile.context import Context
from provider.hosting.rotation import stores
from provider.hosting.storematerial import Access
from provider.hosting.storeview import PoolView
from provider.hosting.view import ETCD


def known(view: PoolView) -> bool:
    """Whether there is a way in: not at the first pass, nor when somebody has deleted the authority."""
    return root_pair(view) is not None and bool(view.secret(poolnames.authority_secret(view.name)).get("ca.key"))


def opened(context: Context, view: PoolView, *endpoints: str, newest: bool = False) -> EtcdCluster:
    """To be entered with `async with`. NotReady before the Secrets are there.

    `newest`: only what the authority that signs now has signed is believed.
    """
    trusted = stores.of(view, stores.CLIENTS).signer.certificate if newest else stores.trusted(view, stores.CLIENTS)
    root = root_pair(view)
    assert root is not None, "made with the authority"
    store = context.dial(Access(driver=ETCD, endpoints=endpoints, ca=trusted, client=root))
    assert isinstance(store, EtcdCluster), "a pool is of etcds"
    return store
