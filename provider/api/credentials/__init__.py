"""The graph of credentials: where each stands and what it is made from. Data, read by whoever makes, mounts or tells of one.

A Secret of a tenant is said only by its node (`hosting.credential`), pods roll for what a node says they mount, deadlines and
Events walk over the nodes, and docs/credentials.md is drawn from them. A parent has to be there before its child is written
down, so the graph has no circle. Whether it is true is tested: what changes with an ancestor is exactly what is below it.
"""

from __future__ import annotations

from typing import Final

from provider.api.credentials import others, stores, tenants
from provider.api.credentials.node import Node

OF_POOL: Final = (stores.POOL_CA, stores.POOL_PEER_CA, stores.POOL_SERVER, stores.POOL_PEER, stores.POOL_ROOT)
OF_STORE: Final = (stores.CA, stores.ROOT)
OF_TENANT: Final = (
    *(tenants.CA, tenants.FRONT_PROXY_CA, tenants.ACCOUNT, tenants.TRUSTED),
    *(tenants.ENCRYPTION, tenants.ENCRYPTION_COPY),
    *(tenants.SERVING, tenants.KUBELET_CLIENT, tenants.FRONT_PROXY_CLIENT),
    *(tenants.ADMIN, tenants.CONTROLLER_MANAGER, tenants.SCHEDULER),
    *(tenants.TUNNEL, tenants.TUNNEL_KUBECONFIG, tenants.STORE_LOGIN, tenants.STORE_CLIENT),
)
OF_CLUSTER: Final = (others.KUBECONFIG, others.CA, others.PROXY, others.SA, others.ETCD)
GRAPH: Final = (*OF_POOL, *OF_STORE, *OF_TENANT, others.CLUSTER_INFO, others.GENERATED, *OF_CLUSTER)
"""All of them, each after what it is made from."""


def below(node: Node) -> tuple[Node, ...]:
    """What is made anew when this one is."""
    return tuple(each for each in GRAPH if any(one is node for one in each.ancestors()))
