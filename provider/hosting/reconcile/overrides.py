"""Resources of a tenant in other stores (`spec.dataStoreOverrides`): granted there as in the main one, and taken back.

Which stores hold something is written in the object's finalizers, one a store, before the first use; a finalizer goes when
the keys in its store are proven to be gone (decision 0009). Called by the tenant pass: `prepared` before the pods,
`proven` when the tenant has its certificate, `released` after them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from provider.api import kinds, names
from provider.api.credentials import tenants
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.hosting import credential, migration
from provider.hosting.datastores.errors import IsolationBroken, StoreError, Taken
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.migration import sight
from provider.hosting.reconcile import erasure
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.storage import Storage
from provider.hosting.storematerial import Access
from provider.hosting.storeview import Claim, holder, overridden
from provider.hosting.view import Keyspace, Store, View
from provider.manifest import Manifest, pem

PROOF_AGE = timedelta(minutes=10)  # after which a grant is looked at again

FLAGS = ("--etcd-servers-overrides=", sight.FLAG)

Grant = tuple[Keyspace, Store, Store, bool, bytes]
"""What was granted in which store beside which main one, whether to write, and the certificate it was proven with, if any."""


@dataclass
class Overrides:
    """Grants in stores of overrides, with what was seen lately, so that a quiet pass opens no connection to a store."""

    context: Context
    storage: Storage
    _granted: dict[tuple[str, str], tuple[Grant, datetime]] = field(default_factory=dict)  # by UID and store
    _claims: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def prepared(self, view: View) -> View:
        """The view with its keyspace granted in every store it names. NotReady or Invalid names the store and what to do."""
        stores = {each.data_store: usable(view, each.store, each.data_store) for each in view.overrides}
        if not stores:
            return await self._placed(view)
        assert view.store is not None and view.keyspace is not None, "the main store is prepared first"
        asked = [each for each in stores.values() if not self._fresh(view, each, proven=False)]
        for store in asked:
            await self.refuse_main(view, store)
            if store.name not in overridden(view.raw):
                await self._refuse_taken(view, store)
        view = await self._placed(await self._recorded(view, sorted(stores)))
        for store in asked:
            await self._granted_in(view, store)
        return view

    async def _placed(self, view: View) -> View:
        """Which resource lies in which store is recorded before it does: from then on the spec only asks (decision 0045)."""
        said = [{"resource": each.resource, "dataStoreName": each.data_store} for each in view.overrides]
        if said == ((view.status.get("storage") or {}).get("overrides") or []):
            return view
        raw = await self.context.cluster.merge(
            kinds.TENANT_CONTROL_PLANE,
            view.name,
            view.namespace,
            {"status": {"storage": {"overrides": said or None}}},
            subresource="status",
            manager=names.HOSTING_STATUS_MANAGER,
        )
        return replace(view, raw=raw)

    async def proven(self, view: View) -> None:
        """Prove in each store, with the tenant's own certificate, that it reaches its range there and nothing else."""
        pair = credential.held(view, tenants.STORE_CLIENT)
        if pair is None or view.keyspace is None:
            return
        for each in view.overrides:
            store = usable(view, each.store, each.data_store)
            if self._fresh(view, store, proven=True):
                continue
            try:
                found = Access(driver=store.driver, endpoints=store.endpoints, ca=store.ca, client=pair)
                async with self.context.dial(found) as opened:
                    assert isinstance(opened, EtcdStore), "no other store takes overrides"
                    await opened.verify(view.keyspace, writable=_writable(view, store))
            except IsolationBroken as error:
                raise Invalid(
                    "IsolationBroken",
                    f"DataStore {store.name} does not keep this tenant apart: {error}. Its pods are not made or changed until"
                    " it does: look at the store's users, roles and auth",
                ) from error
            except StoreError as error:
                raise _unreachable(store, error) from error
            self._remember(view, store, pair.certificate)

    async def released(self, view: View) -> View:
        """Erase what lies in stores that the spec no longer names, once no pod uses them. NotReady says what is in the way.

        The same of the store that a tenant has moved away from, or did not come to, when it is time. Never of its home.
        The view without the finalizers of those in which nothing is left.
        """
        named = {each.data_store for each in view.overrides}
        for name in sorted(overridden(view.raw) - named - migration.kept(view.move, sight.wanted(view), view.now)):
            finalizer = names.FINALIZER_OVERRIDE + name
            store = await self.context.cluster.get(kinds.DATA_STORE, name)
            endpoints = ((store or {}).get("spec") or {}).get("endpoints") or ()
            if pods := _users(view, endpoints):
                raise NotReady("OverrideInUse", f"waiting for pods that still use DataStore {name}: {', '.join(pods)}")
            at_home = name == sight.home(view)
            if not at_home and not await self._is_another_ones(view, name, named, finalizer):
                claim = Claim(keyspace=_keyspace(view), stores=frozenset({name}))
                await erasure.refuse_shared(self.context, view.raw, claim, finalizer)
                await erasure.erase(self.context, self.storage, claim.keyspace, name, raw=view.raw, held=finalizer)
                await self.context.events.record(view.raw, [erasure.happening(claim.keyspace, [name])])
            self._granted.pop((view.tcp.metadata.uid, name), None)
            view = await self._written(view, gone=finalizer)
        return view

    async def claimed(self, view: View, store: Store) -> View:
        """The tenant's keyspace is its own in another store, too, from before anything is there. Invalid when it is taken."""
        if store.name not in overridden(view.raw):
            await self._refuse_taken(view, store)
        return await self._recorded(view, [store.name])

    async def held(self, view: View, store: str) -> View:
        """That a store holds keys of the tenant is in its finalizers."""
        if store in overridden(view.raw):
            return view
        return await self._written(view, added=[names.FINALIZER_OVERRIDE + store])

    async def _recorded(self, view: View, stores: Iterable[str]) -> View:
        """Our finalizers for these stores are on the object; before that nobody else's claim in them may be ours."""
        missing = [each for each in stores if each not in overridden(view.raw)]
        if not missing:
            return view
        async with self._claims:
            claim = Claim(keyspace=_keyspace(view), stores=frozenset(missing))
            others = await self.context.cluster.list(kinds.TENANT_CONTROL_PLANE)
            if other := holder(claim, [each for each in others if each["metadata"]["uid"] != view.tcp.metadata.uid]):
                where = f"{other['metadata']['namespace']}/{other['metadata']['name']}"
                raise Invalid(
                    "KeyspaceTaken",
                    f"keyspace {claim.keyspace.schema} or user {claim.keyspace.user} belongs to TenantControlPlane {where} in"
                    f" DataStore {', '.join(missing)}: choose another DataStore in spec.dataStoreOverrides",
                )
            added = [names.FINALIZER_OVERRIDE + each for each in missing]
            return await self._written(view, added=added)

    async def _refuse_taken(self, view: View, store: Store) -> None:
        """What is recorded is erased with the tenant: so the store is asked first, for it may know of others than we do."""
        try:
            async with await self.context.open_store(store.name) as opened:
                await opened.check_free(_keyspace(view))
        except StoreError as error:
            raise _refused(store, error) from error

    async def _granted_in(self, view: View, store: Store) -> None:
        try:
            async with await self.context.open_store(store.name) as opened:
                assert isinstance(opened, EtcdStore), "no other store takes overrides"
                await opened.ensure(_keyspace(view), writable=_writable(view, store))
        except StoreError as error:
            raise _refused(store, error) from error
        self._remember(view, store, b"")

    async def refuse_main(self, view: View, store: Store) -> None:
        """Two DataStores may lead to one etcd: the keys of both would lie together, and go together."""
        main = view.store
        assert main is not None
        try:
            identities = [await self._identity(each.name) for each in (main, store)]
        except StoreError as error:
            raise _unreachable(store, error) from error
        if identities[0] == identities[1]:
            raise Invalid(
                "OverrideIsMainStore",
                f"spec.dataStoreOverrides: DataStore {store.name} leads to the etcd of DataStore {main.name}, where the"
                " tenant's other keys are: name a DataStore of another etcd, or remove the override",
            )

    async def _identity(self, store: str) -> int:
        async with await self.context.open_store(store) as opened:
            assert isinstance(opened, EtcdStore), "no other store takes overrides"
            return await opened.identity()

    async def _is_another_ones(self, view: View, name: str, named: set[str], finalizer: str) -> bool:
        """Whether the etcd behind a store is also behind one that stays in use: then there is nothing of its own to erase."""
        if await self.context.cluster.get(kinds.DATA_STORE, name) is None:
            return False  # told by `erasure`
        main = {view.store.name} if view.store else set()
        try:
            identities = {each: await self._identity(each) for each in {name, *named, *main}}
        except StoreError as error:
            raise NotReady(
                "ErasurePending",
                f"the keys in DataStore {name} cannot be erased: {error}. Mend it, or remove finalizer {finalizer} to leave"
                " them where they are",
            ) from error
        return any(identities[each] == identities[name] for each in {*named, *main})

    def _fresh(self, view: View, store: Store, *, proven: bool) -> bool:
        known = self._granted.get((view.tcp.metadata.uid, store.name))
        if known is None or view.store is None or view.now - known[1] >= PROOF_AGE:
            return False
        keyspace, there, main, may, certificate = known[0]
        same = (keyspace, there, main, may) == (view.keyspace, store, view.store, _writable(view, store))
        pair = credential.held(view, tenants.STORE_CLIENT)
        return same and (not proven or (pair is not None and certificate == pair.certificate))

    def _remember(self, view: View, store: Store, certificate: bytes) -> None:
        assert view.store is not None
        grant = (_keyspace(view), store, view.store, _writable(view, store), certificate)
        self._granted[view.tcp.metadata.uid, store.name] = (grant, view.now)

    async def _written(self, view: View, *, added: Sequence[str] = (), gone: str = "") -> View:
        """The view after its finalizers were changed. A Conflict when somebody wrote meanwhile: the pass is taken again."""
        found = await self.context.cluster.get(kinds.TENANT_CONTROL_PLANE, view.name, view.namespace)
        metadata = (found or view.raw)["metadata"]  # as it is now: others write finalizers at birth, too
        finalizers = [each for each in [*(metadata.get("finalizers") or ()), *added] if each != gone]
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
        raw = await self.context.cluster.merge(
            kinds.TENANT_CONTROL_PLANE, view.name, view.namespace, patch, manager=names.HOSTING_MANAGER
        )
        return replace(view, raw=raw)


def _keyspace(view: View) -> Keyspace:
    assert view.keyspace is not None, "the main store is prepared first"
    return view.keyspace


def _writable(view: View, store: Store) -> bool:
    """Not while the resources in it are between two stores."""
    move = view.move
    return not (move is not None and move.resources and migration.frozen(move) and store.name == migration.home(move))


def usable(view: View, store: Store | None, name: str) -> Store:
    """The store of an override. NotReady while it is not there or not ready, Invalid where it cannot be beside the main one."""
    where = f"spec.dataStoreOverrides: DataStore {name}"
    if store is None:
        raise NotReady("OverrideNotFound", f"{where} does not exist: create it, or name another")
    if not store.ready:
        raise NotReady("OverrideNotReady", f"{where} is not ready: {store.message}")
    main = view.store
    for each in (store, main):
        if each is not None and each.kine:
            raise Invalid(
                "OverrideDriver",
                f"{where}: overrides need etcd on both sides, and DataStore {each.name} is {each.driver}: remove the override",
            )
    if main is not None and not pem.same_certificates(store.ca, main.ca):
        raise Invalid(
            "OverrideAuthorityDiffers",
            f"{where} has another tlsConfig.certificateAuthority than DataStore {main.name}, and an API server shows one"
            " certificate to all its stores: name a DataStore whose members and clients have the same authority",
        )
    return store


def _users(view: View, endpoints: Sequence[str]) -> list[str]:
    """Names of the Deployment and the pods whose API server has one of these endpoints, for an override or for all.

    Those of the home are used rightly: another DataStore may lead there, too.
    """
    addresses = {f"https://{each}" for each in {*endpoints} - {*(view.store.endpoints if view.store else ())}}
    found = []
    for (kind, _, name), each in view.seen.objects.items():
        if kind in (kinds.DEPLOYMENT.kind, kinds.POD.kind):
            spec = each["spec"]["template"]["spec"] if kind == kinds.DEPLOYMENT.kind else each["spec"]
            if addresses & _used(spec):
                found.append(name)
    return sorted(found)


def _used(pod: Manifest) -> set[str]:
    """URLs of all stores that a pod's containers have."""
    arguments = [arg for each in pod.get("containers") or () for arg in each.get("args") or ()]
    said = [arg.partition("=")[2] for arg in arguments if arg.startswith(FLAGS)]
    parts = [part.rpartition("#")[2] for each in said for part in each.split(",")]
    return {url for part in parts for url in part.split(";")}


def _refused(store: Store, error: StoreError) -> Verdict:
    if isinstance(error, Taken):
        return Invalid("KeyspaceTaken", f"DataStore {store.name}: {error}; choose another for the override")
    return _unreachable(store, error)


def _unreachable(store: Store, error: StoreError) -> NotReady:
    return NotReady("DataStoreUnreachable", f"DataStore {store.name}: {error}")
