"""Everything that has credentials, made by the real builders over one another: a pool, its DataStore, a tenant, and whoever is
given something of that. One of them can be lost, and then the same is built again over the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from provider.api import kinds, names
from provider.api.credentials import GRAPH, others, stores, tenants
from provider.api.credentials.node import Node
from provider.api.datastore import DataStore
from provider.capi.desired import secrets as cluster_secrets
from provider.hosting import storematerial, storeview
from provider.hosting.desired import kubeconfiggenerator
from provider.hosting.desired.pool import OFFER, PARTS
from provider.hosting.view import Seen
from provider.manifest import Manifest, kubeconfig, meta
from tests.golden.world import NOW, CountedMint, Walked, tenant, view, walk
from tests.unit.provider.capi import views as cluster_views
from tests.unit.provider.hosting.generator import generators
from tests.unit.provider.hosting.pool.pool_views import pool_view
from tests.unit.provider.hosting.rotation.planes import accepts

MINT = CountedMint(100_000)  # goes on counting: what is made anew is another
POOL, TENANT, CLUSTER, GENERATOR = "default", "demo", "c", "team"
AT = {"pool": "kamaji-system", "tenant": "tenants", "generator": "tenants", "cluster": "ns", "inside": "kube-public"}


def name_of(node: Node) -> str:
    """What it is called in these worlds."""
    home = {"pool": POOL, "store": POOL, "cluster": CLUSTER}.get(node.home, TENANT)
    return node.secret(home).replace("GENERATOR", GENERATOR)


@dataclass
class World:
    """What was written. `lost` is a node whose Secret is not there when the builders begin."""

    before: World | None = None
    lost: Node | None = None
    now: datetime = NOW
    written: list[Manifest] = field(default_factory=list)
    read: dict[Node, bytes] = field(default_factory=dict)  # what a DataStore's fields lead to

    def __post_init__(self) -> None:
        store = self._store()
        walked = self._tenant(store)
        self._generated(walked)
        self._handed_out(walked)

    def content(self, node: Node) -> bytes:
        """What stands in it, to be compared."""
        if node in self.read:
            return self.read[node]
        name, place = name_of(node), AT[node.home]
        (found,) = [each for each in self.written if _where(each) == (name, place)]
        return json.dumps(found.get("data"), sort_keys=True).encode()

    def _kept(self) -> Iterator[Manifest]:
        """What is seen at the start: all that stood, but for what is lost; and nothing runs, so that nothing waits for pods."""
        for each in self.before.written if self.before else ():
            lost = self.lost is not None and _where(each) == (name_of(self.lost), AT.get(self.lost.home))
            if not lost and each["kind"] != kinds.DEPLOYMENT.kind:
                yield each

    def _store(self) -> storeview.Store:
        found = pool_view(seen=Seen().with_objects(*self._kept()), now=self.now, mint=MINT)
        for _, build in (*PARTS, OFFER):
            said = list(build(found))
            self.written += said
            found = found.folded(*said)
        raw = next(each for each in self.written if each["kind"] == kinds.DATA_STORE.kind)
        raw = {**raw, "status": {"ready": True}}
        datastore = DataStore.parse(raw)
        material = storematerial.material(datastore, found.seen)
        assert material.client is not None
        self.read = {stores.CA: material.authority.certificate, stores.ROOT: material.client.certificate}
        return storeview.store_of(datastore, raw, found.seen)

    def _tenant(self, store: storeview.Store) -> Walked:
        encrypted = {names.ANNOTATION_ENCRYPT: "secrets"}
        raw = tenant(annotations=encrypted, addons={"konnectivity": {}, "coreDNS": {}, "kubeProxy": {}})
        walked = walk(view(raw, *self._kept(), store=store, now=self.now, mint=MINT))
        assert walked.declined == {}
        self.written += [each for said in walked.said.values() for each in said]
        return walked

    def _generated(self, walked: Walked) -> None:
        name = name_of(others.GENERATED)
        stands = next((each for each in self._kept() if _where(each) == (name, "tenants")), None)
        found = generators.target(
            generators.tenant(),
            admin=walked.view.secret(name_of(tenants.ADMIN)),
            authority=walked.view.secret(name_of(tenants.CA)),
            secret=stands,
        )
        asked = replace(generators.view(generators.generator(GENERATOR), found, now=self.now), mint=MINT)
        self.written.append(kubeconfiggenerator.build(asked, found))

    def _handed_out(self, walked: Walked) -> None:
        held = {
            "ca": tenants.CA,
            "proxy": tenants.FRONT_PROXY_CA,
            "sa": tenants.ACCOUNT,
            "etcd": tenants.STORE_CLIENT,
        }
        authorities: Mapping[str, Mapping[str, bytes]] = {
            purpose: walked.view.secret(name_of(node)) for purpose, node in held.items()
        }
        admin = walked.view.secret(name_of(tenants.ADMIN))
        seen = cluster_views.view(tcp=cluster_views.tenant(), admin=admin, authorities=authorities)
        self.written += cluster_secrets.build(seen)


@lru_cache(maxsize=1)
def first() -> World:
    return World()


def changed(before: World, after: World) -> set[Node]:
    """What is not what it was."""
    return {each for each in GRAPH if before.content(each) != after.content(each)}


def _where(manifest: Manifest) -> tuple[str, str | None]:
    return manifest["metadata"]["name"], manifest["metadata"].get("namespace")


def data_of(manifest: Manifest) -> dict[str, bytes]:
    """What is in a Secret or a ConfigMap."""
    if manifest["kind"] == kinds.SECRET.kind:
        return meta.decoded(manifest)
    return {key: str(value).encode() for key, value in (manifest.get("data") or {}).items()}


def untrusted(world: World) -> Iterator[str]:
    """Kubeconfigs whose user does not trust the API server, or is not let in by it."""
    roots = _of(world, tenants.CA)["ca.crt"]
    served = _of(world, tenants.SERVING)["apiserver.crt"]
    for node in (each for each in GRAPH if each.files and each.home in ("tenant", "generator", "cluster")):
        for file in node.files:
            found = kubeconfig.parse(_of(world, node)[file])
            if not accepts(found.ca, served, world.now) or not accepts(roots, found.client.certificate, world.now):
                yield f"{node.title}: {file}"


def _of(world: World, node: Node) -> dict[str, bytes]:
    (found,) = [each for each in world.written if _where(each) == (name_of(node), AT[node.home])]
    return data_of(found)
