"""Credentials that are made of a tenant's for others: nodes, users of generators, Cluster API."""

from __future__ import annotations

from typing import Final

from provider.api import names
from provider.api.credentials import stores, tenants
from provider.api.credentials.node import Node

CONTRACT = "whoever looks for it by Cluster API's contract"

CLUSTER_INFO: Final = Node(
    title="what nodes are told when they join",
    sort="trust",
    home="inside",
    secret=lambda _: "cluster-info",
    parents=(tenants.CA,),
    files=("kubeconfig",),
    readers="nodes, once",
)
GENERATED: Final = Node(
    title="what a KubeconfigGenerator makes",
    sort="kubeconfig",
    home="generator",
    secret=lambda tenant: names.generated_kubeconfig_secret(tenant, "GENERATOR"),
    parents=(tenants.CA,),
    files=("value",),
    readers="people and programs, who fetch it again",
)
KUBECONFIG: Final = Node(
    title="the Cluster's kubeconfig",
    sort="copy",
    home="cluster",
    secret=lambda cluster: f"{cluster}-kubeconfig",
    parents=(tenants.ADMIN,),
    files=("value",),
    readers="managers, which connect anew",
)
CA: Final = Node(
    title="the Cluster's certificate authority",
    sort="copy",
    home="cluster",
    secret=lambda cluster: f"{cluster}-ca",
    parents=(tenants.CA,),
    halves=stores.PAIR,
    readers="bootstrap providers, for machines that join",
)
PROXY: Final = Node(
    title="the Cluster's front proxy authority",
    sort="copy",
    home="cluster",
    secret=lambda cluster: f"{cluster}-proxy",
    parents=(tenants.FRONT_PROXY_CA,),
    halves=stores.PAIR,
    readers=CONTRACT,
)
SA: Final = Node(
    title="the Cluster's service-account key",
    sort="copy",
    home="cluster",
    secret=lambda cluster: f"{cluster}-sa",
    parents=(tenants.ACCOUNT,),
    halves=stores.PAIR,
    readers=CONTRACT,
)
ETCD: Final = Node(
    title="the authority of the Cluster's etcd",
    sort="copy",
    home="cluster",
    secret=lambda cluster: f"{cluster}-etcd",
    parents=(stores.CA,),
    readers=CONTRACT,
)
