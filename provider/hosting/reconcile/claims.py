"""What a tenant may call its own in a store, and how its API server gets in there. Read off the view; asked by `storage`."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from provider.api import kinds, names
from provider.api.credentials import tenants
from provider.api.verdict import Invalid, NotReady
from provider.hosting import credential
from provider.hosting.storematerial import Access
from provider.hosting.view import MYSQL, NATS, Keyspace, Store, View


def wanted(view: View, store: Store) -> Keyspace:
    """What the tenant asks for, or its UID. MySQL's names of users have 32 characters: the UID without its dashes.

    NATS has no users to make: a tenant is the DataStore's own, so that a second one finds it taken.
    """
    uid, spec = view.tcp.metadata.uid, view.tcp.spec
    user = spec.data_store_username or (uid.replace("-", "") if store.driver == MYSQL else uid)
    if store.driver == NATS:
        if spec.data_store_username not in (None, store.user):
            raise Invalid(
                "KeyspaceNameInvalid",
                f"spec.dataStoreUsername {spec.data_store_username!r}: DataStore {store.name} is NATS, whose user is the one of"
                " its basicAuth: make a new object without dataStoreUsername",
            )
        user = store.user
    return Keyspace(schema=spec.data_store_schema or uid, user=user)


def said_by_secret(view: View) -> Keyspace | None:
    """What the tenant's own Secret says, one that is left of another tenant of this name aside. The spec goes before it."""
    name, spec = names.datastore_config_secret(view.name), view.tcp.spec
    found = view.seen.get(kinds.SECRET, name, view.namespace)
    owners = ((found or {}).get("metadata") or {}).get("ownerReferences") or ()
    data = view.secret(name)
    schema, user = (data.get(key, b"").decode(errors="replace") for key in ("DB_SCHEMA", "DB_USER"))
    ours = any(each.get("uid") == view.tcp.metadata.uid for each in owners)
    meant = spec.data_store_schema in (None, "", schema) and spec.data_store_username in (None, "", user)
    return Keyspace(schema=schema, user=user) if ours and meant and schema and user else None


def access(view: View, store: Store) -> Access | None:
    """How the tenant's API server gets in; None while it lacks what it takes."""
    pair = credential.held(view, tenants.STORE_CLIENT)
    base = Access(driver=store.driver, endpoints=store.endpoints, ca=store.ca, client=pair, root=store.user)
    if not store.kine:
        return base if pair is not None else None
    data = view.secret(names.datastore_config_secret(view.name))
    if not (data.get("DB_USER") and data.get("DB_PASSWORD")):
        return None
    return replace(base, user=data["DB_USER"].decode(), password=data["DB_PASSWORD"].decode())


def fingerprint(access: Access) -> str:
    """Of the certificate that a proof was made with."""
    return hashlib.sha256(access.client.certificate if access.client else b"").hexdigest()


def usable(view: View) -> Store:
    """The store that it is to be let into. NotReady while there is none that could."""
    store, recorded = view.store, (view.status.get("storage") or {}).get("dataStoreName")
    wanted = recorded or view.tcp.spec.data_store or view.settings.default_datastore
    if view.awaits_place:
        moved = said_by_secret(view)
        brought = (
            f"; it brought keyspace {moved.schema!r} and goes where its certificate opens that: where no store of the pool"
            " does, name the DataStore that it had in spec.dataStore"
            if moved
            else ""
        )
        raise NotReady("WaitingForPlace", view.awaits_place + brought)
    if store is None:
        name = wanted or "(none named, and no default)"
        raise NotReady(
            "DataStoreNotFound", f"DataStore {name} does not exist: create it, or name another in spec.dataStore"
        )
    if not store.ready:
        raise NotReady("DataStoreNotReady", f"DataStore {store.name} is not ready: {store.message}")
    return store
