"""What a cluster leaves in the world: objects, etcd keys, users and roles, machines, addresses. Counted before and after.

Called by `demo`: what is there after the deletion and was not there before is a trace, and the demo fails on it.
"""

from __future__ import annotations

from lab.state import Lab
from provider.api import kinds
from provider.api.datastore import DataStore
from provider.cluster.client import Cluster
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.observe import datastore as observe
from provider.hosting.storematerial import material

NAMESPACED = (
    kinds.POD,
    kinds.SECRET,
    kinds.SERVICE,
    kinds.CONFIG_MAP,
    kinds.DEPLOYMENT,
    kinds.SERVICE_ACCOUNT,
    kinds.TENANT_CONTROL_PLANE,
)
STORE = "default"


async def taken(cluster: Cluster, lab: Lab, namespace: str) -> frozenset[str]:
    """Everything there is, one line a thing: objects of the namespace, machines, addresses, and what the store holds."""
    found = set()
    for kind in NAMESPACED:
        found |= {f"{kind.kind} {each['metadata']['name']}" for each in await cluster.list(kind, namespace)}
    found |= {f"lab machine {each.name}" for each in lab.machines()}
    found |= {f"address of {each}" for each in lab.network().allocated()}
    return frozenset(found | await _stored(cluster))


async def _stored(cluster: Cluster) -> set[str]:
    """Users, roles and the sizes of tenants' keyspaces in the default store, asked as its root."""
    raw = await cluster.get(kinds.DATA_STORE, STORE)
    if raw is None:
        raise LookupError(f"there is no DataStore {STORE}: the provider makes it at its start; see its log")
    parsed = DataStore.parse(raw)
    found = material(parsed, await observe.referred(cluster, parsed))
    assert found.client is not None, "an etcd's root has a certificate"
    async with EtcdStore(parsed.spec.endpoints, found.authority.certificate, found.client) as etcd:
        users = {f"etcd user {each}" for each in await etcd.users()}
        roles = {f"etcd role {each}" for each in await etcd.roles()}
        return users | roles | {f"etcd keys below {each}" for each in await etcd.keyspaces()}
