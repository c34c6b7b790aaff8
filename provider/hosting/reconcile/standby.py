"""Pods that stand by for a move: tried before they are made, and let in when their store is the home. Called by `migration`.

Which pods those are, and when, is in `hosting.migration.standby`.
"""

from __future__ import annotations

import asyncio
import logging

from provider.api import kinds, names
from provider.api.credentials import tenants
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.cluster.apply import Applier
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError, Conflict, NotFound, Refused
from provider.hosting import credential
from provider.hosting.datastores.errors import IsolationBroken, StoreError
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.datastores.shape import judge
from provider.hosting.desired import writepermissions
from provider.hosting.migration import sight, standby
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.upgrade import Dial
from provider.hosting.storematerial import Access
from provider.hosting.view import Store, View
from provider.manifest import Manifest

SAYING = 2.0  # seconds for words that are of use to people only
KNOCK = 0.5  # seconds for a connection
log = logging.getLogger(__name__)

OPEN = [{"type": names.GATE_AT_HOME, "status": "True"}]


async def proven(context: Context, view: View, store: Store) -> None:
    """With what they will show, they reach their own range in the store, to read, and nothing else.

    Invalid where they reach more, NotReady while that is not made or the store does not let them in.
    """
    held = credential.held(view, tenants.STORE_CLIENT)
    some = view.move is not None and bool(view.move.resources)
    material = (store.ca, held) if some and held else standby.material(view)
    if material is None or view.keyspace is None:
        raise NotReady("SecretMissing", f"waiting for a certificate for DataStore {store.name}")
    authority, pair = material
    access = Access(driver=store.driver, endpoints=store.endpoints, ca=authority, client=pair)
    try:
        async with context.dial(access) as opened:
            assert isinstance(opened, EtcdStore), "no other store's tenants move"
            judge(await opened.asked(view.keyspace, writable=False))
    except IsolationBroken as error:
        raise Invalid(
            "IsolationBroken",
            f"DataStore {store.name} does not keep this tenant apart: {error}. Look at the store's users, roles and auth",
        ) from error
    except StoreError as error:
        raise NotReady("DataStoreUnreachable", f"DataStore {store.name}: {error}") from error


async def let_in(cluster: Cluster, view: View) -> None:
    """Those who stand by in the tenant's home serve. Who has ended meanwhile is not missed."""
    await asyncio.gather(*(_opened(cluster, each) for each in standby.open_to(view)))


async def announced(view: View, dial: Dial) -> None:
    """Whoever writes from now on is told why that is refused. A tenant that cannot be asked now is not waited for."""
    try:
        async with asyncio.timeout(SAYING):
            applier = Applier(await dial(), names.HOSTING_MANAGER)
            said = list(writepermissions.held())
            await applier.apply({names.LABEL_PROJECT: names.PROJECT}, writepermissions.NAME, said, {})
    except (Verdict, ApiError, ValueError, TimeoutError) as error:
        log.info("%s/%s is not told that its writes are held: %s", view.namespace, view.name, error)


async def hung_up(view: View) -> frozenset[str]:
    """Names of pods of the other store that were told to end and take no connection any more.

    A kube-apiserver closes its door some seconds before it ends, and sends away whoever is connected: nothing is asked of it
    any more. Who does not answer at all may be anybody, and is waited for.
    """
    found = sight.leaving(view)
    refusing = await asyncio.gather(*(_refuses(each, view.tcp.network.port) for each in found.values()))
    return frozenset(name for name, refuses in zip(found, refusing, strict=True) if refuses)


async def _refuses(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(KNOCK):
            _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):
        return False
    writer.close()
    return False


async def _opened(cluster: Cluster, pod: Manifest) -> None:
    metadata = pod["metadata"]
    said = {
        "apiVersion": kinds.POD.api_version,
        "kind": kinds.POD.kind,
        "metadata": {each: metadata[each] for each in ("name", "namespace", "uid")},
        "status": {"conditions": OPEN},
    }
    try:
        await cluster.apply(said, manager=names.HOSTING_STATUS_MANAGER, subresource="status")
    except (NotFound, Conflict, Refused) as error:  # it has ended, or another one of that name is there
        log.info("pod %s/%s is not let in: %s", metadata["namespace"], metadata["name"], error)
