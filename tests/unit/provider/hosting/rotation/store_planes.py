"""A store of a pool in miniature: its Secrets, StatefulSet and DataStore by the real parts, members and tenants played here.

A member reads whom it trusts when it starts, and what it shows at each handshake, from files that its kubelet brings up to date
when it looks. So does a tenant's API server. Who gets on with whom is judged by certificates alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from provider.api import kinds, names
from provider.api.datastore import DataStore
from provider.hosting import storeview
from provider.hosting.desired import datastore as tenant_part
from provider.hosting.desired.pool import OFFER, PARTS, repair
from provider.hosting.desired.pool.repair import Step
from provider.hosting.rotation import residents, stores
from provider.hosting.rotation.keyring import Keyring, Ring
from provider.hosting.status import poolrotation
from provider.hosting.storeview import Guests, Member, PoolView
from provider.hosting.view import Key, Seen, key_of
from provider.manifest import Manifest, checksum, meta, pem, x509
from provider.settings import Settings
from tests.golden.world import NOW, CountedMint, tenant, view
from tests.unit.provider.hosting.pool.pool_views import pool_view
from tests.unit.provider.hosting.rotation.planes import accepts

WHERE = Settings().namespace
POOL = "default"
HOME = "tenants"
Files = dict[str, dict[str, bytes]]


@dataclass
class Mate:
    """A member's pod. `trusts` is what it read when it started."""

    template: Manifest
    revision: str
    files: Files
    trusts: Files

    @property
    def name(self) -> str:
        return f"{POOL}-etcd"


@dataclass
class Tenant:
    """One tenant: the Secret that it shows its store, and its pods."""

    name: str
    secret: Manifest | None = None
    template: str = ""  # checksum of the Secret that pods are to be started with
    pods: list[tuple[str, dict[str, bytes], bytes]] = field(default_factory=list)  # checksum, files, whom it trusts


@dataclass
class StorePlane:
    members: int = 3
    now: datetime = NOW
    said: dict[str, str] = field(default_factory=dict)  # annotations of the pool
    said_of_store: dict[str, str] = field(default_factory=dict)
    objects: dict[Key, Manifest] = field(default_factory=dict)
    mates: dict[str, Mate | None] = field(default_factory=dict)
    tenants: list[Tenant] = field(default_factory=list)
    mint: CountedMint = field(default_factory=CountedMint)
    writes: int = 0
    step: Step | None = None

    def born(self, tenants: int = 2) -> StorePlane:
        self.passed()
        for number in range(self.members):
            self.start(f"{POOL}-etcd-{number}")
        self.passed()
        self.tenants = [Tenant(f"t{number}") for number in range(tenants)]
        for each in self.tenants:
            self.looked(each)
            self.roll(each)
        return self

    # What the provider does

    def passed(self, crash_after: int | None = None) -> int:
        """One pass of the pool, which may end after so many writes. How many there were."""
        self.now += timedelta(minutes=1)
        found, before, self.step = self.view(), self.writes, None
        for _, build in (*PARTS, OFFER):
            applied = []
            for each in build(found):
                if crash_after is not None and self.writes - before >= crash_after:
                    return self.writes - before
                applied.append(self._applied(each))
            found = found.folded(*applied)
        self.step = repair.step(found)
        if self.step is not None and self.step.kind == "restart":
            for each in (self.step.member, *self.step.also):
                self.mates[each] = None
        return self.writes - before

    def view(self) -> PoolView:
        seen = Seen().with_objects(*self.objects.values(), *self._pods())
        found = pool_view(
            {"members": self.members},
            seen=seen,
            now=self.now,
            mint=self.mint,
            residents=(Guests(namespace=HOME, names=tuple(each.name for each in self.tenants)),),
        )
        found = replace(found, raw={**found.raw, "metadata": {**found.raw["metadata"], "annotations": dict(self.said)}})
        found = replace(found, membership=self._membership(found))
        if (asked := stores.question(found)) is not None:
            found = replace(found, behind=tuple(residents.behind(asked, found.residents[0], self._of_tenants())))
        return found

    def _membership(self, found: PoolView) -> tuple[Member, ...] | None:
        """None until a quorum runs; what each shows is looked at as `reconcile.membership` does."""
        running = [each for each in self.mates.values() if each]
        if not self.mates or len(running) <= self.members // 2:
            return None
        signer = stores.of(found, stores.CLIENTS).signer.certificate if stores.held(found, stores.CLIENTS) else b""
        return tuple(
            Member(
                id=number + 1,
                name=name,
                started=True,
                answers=mate is not None,
                leader=number == 0,
                shows=mate is not None and x509.verifies(mate.files["server"]["tls.crt"], signer),
            )
            for number, (name, mate) in enumerate(sorted(self.mates.items()))
        )

    def _applied(self, manifest: Manifest) -> Manifest:
        where = key_of(manifest)
        stands = self.objects.get(where)
        if manifest["kind"] == kinds.DATA_STORE.kind:
            metadata = {**manifest["metadata"], "annotations": dict(self.said_of_store)}
            manifest = {**manifest, "metadata": metadata}
        if stands is not None and _said(stands) == _said(manifest):
            return stands
        self.writes += 1
        if manifest["kind"] == "StatefulSet":
            generation = (stands or {"metadata": {"generation": 0}})["metadata"]["generation"] + 1
            status = {"observedGeneration": generation, "updateRevision": _revision(manifest), "readyReplicas": 1}
            metadata = {**manifest["metadata"], "generation": generation}
            manifest = {**manifest, "metadata": metadata, "status": status}
        self.objects[where] = manifest
        return manifest

    # What the management cluster does

    def start(self, name: str) -> None:
        """A member's pod of the template as it is."""
        live = self.objects["StatefulSet", WHERE, f"{POOL}-etcd"]
        files = self._files()
        self.mates[name] = Mate(live["spec"]["template"], _revision(live), files, files)

    def settle(self) -> None:
        """Members that are to run, run."""
        for name, mate in list(self.mates.items()):
            if mate is None:
                self.start(name)

    def kubelets_look(self, name: str) -> None:
        if (mate := self.mates.get(name)) is not None:
            mate.files = self._files()

    def _files(self) -> Files:
        return {each: self.secret(f"{POOL}-etcd-{each}") for each in ("server", "peer")}

    def _pods(self) -> Iterator[Manifest]:
        for name, mate in self.mates.items():
            if mate is not None:
                said = mate.template["metadata"]
                labels = {**said["labels"], repair.REVISION: mate.revision}
                ready = {"type": "Ready", "status": "True"}
                status = {"conditions": [ready]}
                yield meta.new(kinds.POD, name, WHERE, labels=labels, annotations=said["annotations"], status=status)

    # What tenants do

    def looked(self, each: Tenant) -> bool:
        """A pass over the tenant, which is not let go over before every member takes what it would show. Whether it wrote."""
        raw = self.objects["DataStore", "", POOL]
        raw = {**raw, "status": {"ready": True}}
        store = storeview.store_of(DataStore.parse(raw), raw, Seen(self.objects))
        if not store.ready:
            return False
        metadata = {"name": each.name, "uid": f"uid-{each.name}"}
        seen = view(
            tenant(metadata=metadata),
            *([each.secret] if each.secret else []),
            store=store,
            now=self.now,
            mint=self.mint,
        )
        signer = store.client_ca
        assert signer is not None
        taken = all(accepts(mate.trusts["server"]["ca.crt"], signer.certificate, self.now) for mate in self.running())
        *_, made = tenant_part.build(replace(seen, resigned=taken))
        wrote = each.secret is None or made["data"] != each.secret["data"]
        each.secret, each.template = made, checksum.of(meta.decoded(made))
        return wrote

    def roll(self, each: Tenant) -> None:
        """A pod of the template, and no other."""
        files = meta.decoded(each.secret)
        each.pods = [(each.template, files, files["ca.crt"])]

    def kubelet_looks(self, each: Tenant) -> None:
        files = meta.decoded(each.secret)
        each.pods = [(started, files, trusts) for started, _, trusts in each.pods]

    def _of_tenants(self) -> Iterator[Manifest]:
        for each in self.tenants:
            labels = {names.LABEL_NAME: each.name}
            if each.secret is not None:
                yield {**each.secret, "metadata": {**each.secret["metadata"], "labels": labels}}
            template = {"metadata": {"annotations": {names.ANNOTATION_STORAGE_CERTIFICATE: each.template}}}
            count = {
                "replicas": 1,
                "readyReplicas": 1,
                "updatedReplicas": sum(p[0] == each.template for p in each.pods),
            }
            spec = {"replicas": 1, "template": template}
            yield meta.new(kinds.DEPLOYMENT, each.name, HOME, labels=labels, spec=spec, status=count)
            for number, (started, _, _) in enumerate(each.pods):
                notes = {names.ANNOTATION_STORAGE_CERTIFICATE: started}
                yield meta.new(kinds.POD, f"{each.name}-{number}", HOME, labels=labels, annotations=notes)

    # What is to be seen

    def running(self) -> list[Mate]:
        return [each for each in self.mates.values() if each is not None]

    def secret(self, name: str) -> dict[str, bytes]:
        return meta.decoded(self.objects.get(("Secret", WHERE, name)))

    def keys(self, ring: Ring) -> Keyring:
        return stores.of(self.view(), ring)

    @property
    def rotating(self) -> bool:
        return any(self.keys(each).rotating for each in stores.RINGS)

    def told(self) -> tuple[str, str]:
        found = poolrotation.conditions([self.view()])
        return (found[0].reason, found[0].message) if found else ("", "")

    def round(self) -> int:
        """Everybody does what is his to do. How much was written."""
        wrote = self.passed()
        self.settle()
        for name in self.mates:
            self.kubelets_look(name)
        for each in self.tenants:
            wrote += self.looked(each)
            self.roll(each)
        return wrote


def wrongs(plane: StorePlane) -> Iterator[str]:
    """Who cannot reach whom, in words."""
    now, root = plane.now, plane.secret(f"{POOL}-etcd-root-client")
    for name, mate in plane.mates.items():
        if mate is None:
            continue
        if not accepts(mate.trusts["server"]["ca.crt"], root["tls.crt"], now):
            yield f"{name} does not let root in"
        if not accepts(root["ca.crt"], mate.files["server"]["tls.crt"], now):
            yield f"root does not trust {name}"
        for each in plane.tenants:
            for _, files, trusts in each.pods:
                if not accepts(mate.trusts["server"]["ca.crt"], files["server.crt"], now):
                    yield f"{name} does not let {each.name} in"
                if not accepts(trusts, mate.files["server"]["tls.crt"], now):
                    yield f"{each.name} does not trust {name}"
        for other, its in plane.mates.items():
            if its is not None and not accepts(mate.trusts["peer"]["ca.crt"], its.files["peer"]["tls.crt"], now):
                yield f"{name} does not take {other} for one of its own"


def dropped(plane: StorePlane) -> Iterator[str]:
    """What still stands in a Secret of something that nobody trusts any more."""
    for secret, ring in (("server", stores.CLIENTS), ("root-client", stores.CLIENTS), ("peer", stores.PEERS)):
        leaf = plane.secret(f"{POOL}-etcd-{secret}")["tls.crt"]
        if not any(x509.verifies(leaf, each) for each in pem.blocks(plane.keys(ring).trusted)):
            yield secret


def _revision(stateful_set: Manifest) -> str:
    return checksum.of({"": repr(stateful_set["spec"]["template"])})


def _said(manifest: Manifest) -> Manifest:
    metadata = {key: each for key, each in manifest["metadata"].items() if key != "generation"}
    rest = {key: each for key, each in manifest.items() if key not in ("metadata", "status")}
    return {**rest, "metadata": metadata}
