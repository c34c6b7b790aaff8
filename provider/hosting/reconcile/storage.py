"""Gives a tenant its place in a store: claims a keyspace, records it, grants it, proves it; and takes it back for ever.

Called by the tenant pass around the part that makes the tenant's certificate, and by teardown. A keyspace is recorded in
status before its first use and never computed again, so that no change of ours or of a name ever points a tenant at other
data (CVE-2024-42480's siblings).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from provider import telemetry
from provider.api import kinds, names
from provider.api.verdict import Invalid, NotReady
from provider.hosting import credential, migration, quota
from provider.hosting.datastores.errors import (
    IsolationBroken,
    NameRefused,
    StoreError,
    StoreUnreachable,
    StoreUntrusted,
    Taken,
)
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.datastores.shape import Driver, Erasure, judge
from provider.hosting.reconcile import claims
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.pacing import NotItsTurn, Turns
from provider.hosting.storematerial import Access
from provider.hosting.storeview import Claim, holder
from provider.hosting.view import Keyspace, Store, View
from provider.manifest import Manifest
from provider.manifest.happening import Happening

PROOF_AGE = timedelta(minutes=10)  # after which a grant that was proven is looked at again

Grant = tuple[Keyspace, Store, str, bool]
"""What was granted in which store, with which password, and whether to write: void once the store's credentials change."""
Proof = tuple[Grant, str]
"""A grant, and the fingerprint of the certificate that it was proven with."""


@dataclass
class Storage:
    """Claims, grants and proofs, with what was seen lately, so that a quiet pass opens no connection to a store.

    What comes of them is told by the condition StorageReady, for what waits for the store waits for the proof as well; what was
    asked in the proof, and whether the answer still stands, by StorageIsolated.
    """

    context: Context
    turns: Turns = field(default_factory=lambda: Turns(monotonic=time.monotonic))
    _granted: dict[str, tuple[Grant, datetime]] = field(default_factory=dict)  # by the tenant's UID
    _proven: dict[str, tuple[Proof, datetime]] = field(default_factory=dict)
    _refused: dict[str, tuple[str, ...]] = field(default_factory=dict)  # what was asked in that proof
    _claims: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def prepared(self, view: View) -> View:
        """The view with its keyspace granted. NotReady while the store is not, Invalid when the claim cannot be met.

        A tenant that has its certificate, as after a restart of ours, is asked first: its proof needs no connection as root.
        """
        store, uid = claims.usable(view), view.tcp.metadata.uid
        before = self._granted.get(uid)
        view = replace(view, password=credential.store_password(view, store))
        if view.keyspace is None:
            self._take_turn(store, uid)
        else:
            granted = _fresh(before, _grant(view, store, view.keyspace), view.now)
            if granted or await self._proves_itself(view, store, view.keyspace):
                return view
        try:
            async with await self.context.open_store(store.name) as opened:
                view = await self._claimed(view, store, opened) if view.keyspace is None else view
                assert view.keyspace is not None
                known = claims.access(view, store) is not None and view.move is None
                # One that may only read, or did until now, differs for we said so: in a restore, or to hold it back.
                ours = _read_only(view) or (before is not None and not before[0][3])
                if await self._granted_by(opened, view, view.keyspace) and known and not ours:
                    await self._drifted(view, store)
        except NameRefused as error:
            raise Invalid("KeyspaceNameInvalid", f"DataStore {store.name}: {error}") from error
        except Taken as error:
            raise Invalid("KeyspaceTaken", f"{error}; choose another dataStoreSchema and dataStoreUsername") from error
        except StoreError as error:
            raise _unreachable(store, error) from error
        self._granted[uid] = (_grant(view, store, view.keyspace), view.now)
        return view

    def _take_turn(self, store: Store, uid: str) -> None:
        """Who is new in an etcd waits while many others are, too."""
        if not store.kine and (left := self.turns.wait(store.name, uid)):
            raise NotItsTurn(
                f"others are being let into DataStore {store.name}; this one is within a minute or two", left
            )

    async def proven(self, view: View) -> View:
        """Prove with what the tenant has that it reaches its own and nothing else; to be asked before it has pods.

        The view with what was asked. Invalid (IsolationBroken) when it reaches more, NotReady when the store does not answer
        or does not let it in.
        """
        assert view.store is not None and view.keyspace is not None
        access = claims.access(view, view.store)
        assert access is not None, "the part was applied"
        uid = view.tcp.metadata.uid
        proof = (_grant(view, view.store, view.keyspace), claims.fingerprint(access))
        if _fresh(self._proven.get(uid), proof, view.now):
            return view.proven(self._refused[uid])
        try:
            await self._prove(view, view.store, view.keyspace, access)
        except IsolationBroken as error:
            raise Invalid(
                "IsolationBroken",
                f"DataStore {view.store.name} does not keep this tenant apart: {error}. Its pods are not made or changed until"
                " it does: look at the store's users, roles and auth",
            ) from error
        except StoreUntrusted as error:
            raise NotReady(
                "DataStoreUnreachable",
                f"DataStore {view.store.name} does not take the tenant's certificate, which tlsConfig.certificateAuthority"
                " signed: it has to be the authority that the store trusts for clients (with etcd --trusted-ca-file), and the"
                " clocks of the store and of the provider must not differ by more than five minutes",
            ) from error
        except StoreError as error:
            raise _unreachable(view.store, error) from error
        return view.proven(self._refused[uid])

    async def _proves_itself(self, view: View, store: Store, keyspace: Keyspace) -> bool:
        """Whether the certificate that stands reaches its range and nothing else. NotReady when the store does not answer."""
        access = claims.access(view, store)
        if access is None or (store.kine and access.password != (view.password or access.password)):
            return False
        try:
            await self._prove(view, store, keyspace, access)
        except StoreUnreachable as error:
            raise _unreachable(store, error) from error
        except StoreError:
            return False  # root can mend that: it grants anew, and what still is wrong then, `proven` tells
        return True

    async def _prove(self, view: View, store: Store, keyspace: Keyspace, access: Access) -> None:
        """A proof says all that a grant does. One that fails makes the grant be looked at again."""
        uid = view.tcp.metadata.uid
        self.forget(uid)
        async with self.context.dial(access) as opened:
            if _read_only(view):
                assert isinstance(opened, EtcdStore), "no other store's tenants may only read"
                answers = await opened.asked(keyspace, writable=False)
            else:
                answers = await opened.asked(keyspace)
        judge(answers)
        grant = _grant(view, store, keyspace)
        self._granted[uid] = (grant, view.now)
        self._proven[uid] = ((grant, claims.fingerprint(access)), view.now)
        self._refused[uid] = tuple(each.question for each in answers)

    async def _granted_by(self, opened: Driver, view: View, keyspace: Keyspace) -> bool:
        """To read and write, or for a while only to read. Whether that changed anything."""
        if not _read_only(view):
            return await opened.ensure(keyspace, view.password)
        assert isinstance(opened, EtcdStore), "no other store's tenants may only read"
        return await opened.ensure(keyspace, writable=False)

    def forget(self, uid: str) -> None:
        """What a tenant may do in its store is looked at anew by the next pass: somebody else may have changed it."""
        self._granted.pop(uid, None)
        self._proven.pop(uid, None)
        self._refused.pop(uid, None)

    async def erase(self, keyspace: Keyspace, store: str, uid: str) -> Erasure:
        """Drop data and user, with proof. StoreError when the store does not answer or something is left."""
        self.forget(uid)
        async with await self.context.open_store(store) as opened:
            return await opened.drop(keyspace)

    async def _drifted(self, view: View, store: Store) -> None:
        """A tenant that was let in before had another grant than it should: who changes users and roles beside us?"""
        telemetry.GRANT_DRIFT.labels(store.name).inc()
        note = f"user and role of this tenant in DataStore {store.name} were not as they were made, and are so again"
        await self.context.events.record(view.raw, [Happening("GrantRepaired", note, warning=True)])

    async def _claimed(self, view: View, store: Store, opened: Driver) -> View:
        """Record the keyspace in status, after making sure that nobody else has it. One claim at a time.

        What is recorded is erased with the tenant: so the store is asked first, too, for it may know of others than we do.
        """
        uid, brought = view.tcp.metadata.uid, await self._brought(view, store)
        wanted = brought or claims.wanted(view, store)
        try:
            if brought is None:
                await opened.check_free(wanted)
        except Taken:
            await self._refuse_taken(uid, store, wanted)  # names the holder, where we know it
            raise
        async with self._claims:
            await self._refuse_taken(uid, store, wanted)
            raw = await self._recorded(view, store, wanted)
        return view.claimed(wanted, raw)

    async def _brought(self, view: View, store: Store) -> Keyspace | None:
        """The keyspace of a tenant that was moved here: its Secrets came along; its status, and so the record, did not.

        Its certificate has to open the store: who only writes names into a Secret gets nothing. An empty keyspace is never
        given instead, for the tenant's state is where it was.
        """
        keyspace, access = claims.said_by_secret(view), claims.access(view, store)
        if keyspace is None or access is None:
            return None
        try:
            async with self.context.dial(access) as opened:
                await opened.verify(keyspace)
        except StoreUnreachable as error:
            raise _unreachable(store, error) from error
        except StoreError as error:
            config = names.datastore_config_secret(view.name)
            raise Invalid(
                "KeyspaceElsewhere",
                f"Secret {config} says that this tenant's state is keyspace {keyspace.schema!r} of user {keyspace.user!r}, and"
                f" DataStore {store.name} does not let it in there: {error}. After a move, name the DataStore that the tenant"
                f" had, with the same endpoints and authority; to begin with an empty one, delete the Secret",
            ) from error
        return keyspace

    async def _refuse_taken(self, uid: str, store: Store, wanted: Keyspace) -> None:
        """Invalid when another TenantControlPlane has recorded this schema or user in this store."""
        others = await self.context.cluster.list(kinds.TENANT_CONTROL_PLANE)
        claim = Claim(keyspace=wanted, stores=frozenset({store.name}))
        if other := holder(claim, [each for each in others if each["metadata"]["uid"] != uid]):
            where = f"{other['metadata']['namespace']}/{other['metadata']['name']}"
            raise Invalid(
                "KeyspaceTaken",
                f"dataStoreSchema {wanted.schema!r} or dataStoreUsername {wanted.user!r} belongs to TenantControlPlane"
                f" {where} in DataStore {store.name}: choose others, or leave them out to get unique ones",
            )

    async def _recorded(self, view: View, store: Store, keyspace: Keyspace) -> Manifest:
        """Finalizer first, then the claim: what holds data is never without someone who takes it back."""
        cluster, name, namespace = self.context.cluster, view.name, view.namespace
        raw = await cluster.get(kinds.TENANT_CONTROL_PLANE, name, namespace) or view.raw  # others write at birth, too
        finalizers = list(raw["metadata"].get("finalizers") or ())
        if names.FINALIZER_TENANT not in finalizers:
            patch = {
                "metadata": {
                    "finalizers": [*finalizers, names.FINALIZER_TENANT],
                    "resourceVersion": raw["metadata"]["resourceVersion"],
                }
            }
            await cluster.merge(kinds.TENANT_CONTROL_PLANE, name, namespace, patch, manager=names.HOSTING_MANAGER)
        setup = {"schema": keyspace.schema, "user": keyspace.user}
        claim = {"storage": {"dataStoreName": store.name, "driver": store.driver, "setup": setup}}
        return await cluster.merge(
            kinds.TENANT_CONTROL_PLANE,
            name,
            namespace,
            {"status": claim},
            subresource="status",
            manager=names.HOSTING_STATUS_MANAGER,
        )


def _grant(view: View, store: Store, keyspace: Keyspace) -> Grant:
    return keyspace, store, view.password, not _read_only(view)


def _read_only(view: View) -> bool:
    """Whether somebody else writes the tenant's keys just now, or nobody: it is held back. Databases' tenants never are."""
    throttle = quota.throttle(view.raw)
    closed = view.restoring or (throttle is not None and throttle.closed)
    return migration.all_frozen(view.move) or (closed and view.store is not None and not view.store.kine)


def _fresh(known: tuple[object, datetime] | None, wanted: object, now: datetime) -> bool:
    return known is not None and known[0] == wanted and now - known[1] < PROOF_AGE


def _unreachable(store: Store, error: StoreError) -> NotReady:
    return NotReady("DataStoreUnreachable", f"DataStore {store.name}: {error}")
