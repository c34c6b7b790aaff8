"""How a tenant's API server gets into its store: the connection with user and password, and a client certificate.

With etcd the certificate alone lets it in. kine logs in by password; what it shows beside that is as the DataStore says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import names
from provider.api.credentials import tenants
from provider.api.verdict import NotReady
from provider.hosting import credential
from provider.hosting.migration import standby
from provider.hosting.view import NATS, Keyspace, Store, View
from provider.manifest import Manifest, checksum, x509
from provider.manifest.x509 import Pair, Request

NAME = "datastore"


def build(view: View) -> Iterator[Manifest]:
    """Two Secrets. NotReady while there is no store that is ready, or no keyspace recorded in it."""
    store, keyspace = _granted(view)
    yield credential.secret(view, tenants.STORE_LOGIN, _connection(view, store, keyspace))
    yield _certificate(view, store, keyspace)


def report(view: View) -> dict[str, Any]:
    """`storage`, but for the keyspace, which is recorded before its first use and never from here."""
    config = names.datastore_config_secret(view.name)
    block: dict[str, Any] = dict(credential.reports(view, tenants.STORE_CLIENT)["storage"])
    if data := view.secret(config):
        block["config"] = {"secretName": config, "checksum": checksum.of(data)}
    return {"storage": block} if block else {}


def _granted(view: View) -> tuple[Store, Keyspace]:
    if view.store is None:
        raise NotReady(
            "DataStoreNotFound", "the DataStore does not exist: create it, or name another in spec.dataStore"
        )
    signer = view.store.client_ca
    if not view.store.ready or (signer is None and not view.store.kine):
        raise NotReady("DataStoreNotReady", f"DataStore {view.store.name} is not ready: {view.store.message}")
    if signer is not None and not x509.authority_is_usable(signer, view.now):
        raise NotReady(
            "DataStoreUnusable",
            f"DataStore {view.store.name} cannot sign the tenant's certificate: what tlsConfig.certificateAuthority names is no"
            " certificate authority with its own key that has not expired: correct it",
        )
    if view.keyspace is None:
        raise NotReady("KeyspaceNotClaimed", f"waiting for a keyspace in DataStore {view.store.name}")
    return view.store, view.keyspace


def _connection(view: View, store: Store, keyspace: Keyspace) -> dict[str, bytes]:
    """Upstream's keys. With etcd nobody logs in by password, and the endpoints are flags; what was there stays."""
    if store.kine:
        return {
            "DB_CONNECTION_STRING": store.endpoints[0].encode(),
            "DB_SCHEMA": keyspace.schema.encode(),
            "DB_USER": (store.user if store.driver == NATS else keyspace.user).encode(),
            "DB_PASSWORD": (view.password or credential.store_password(view, store)).encode(),
        }
    password = view.secret(names.datastore_config_secret(view.name)).get("DB_PASSWORD")
    return {
        "DB_CONNECTION_STRING": b"",
        "DB_SCHEMA": keyspace.schema.encode(),
        "DB_USER": keyspace.user.encode(),
        "DB_PASSWORD": password or view.mint.password().encode(),
    }


def _certificate(view: View, store: Store, keyspace: Keyspace) -> Manifest:
    """What the store is known by, and what the tenant is. Without TLS the Secret stands empty, as upstream has it."""
    if not store.ca:
        return credential.secret(view, tenants.STORE_CLIENT, {})
    pair = _client(view, store, keyspace)
    data = {"ca.crt": store.ca, **({"server.crt": pair.certificate, "server.key": pair.key} if pair else {})}
    return credential.secret(view, tenants.STORE_CLIENT, data | _standby(view, keyspace))


def _standby(view: View, keyspace: Keyspace) -> dict[str, bytes]:
    """The same for pods that stand by in the store to go to. What is mounted stays as it is."""
    held, store = standby.material(view), standby.store(view)
    if store is None or store.client_ca is None or not x509.authority_is_usable(store.client_ca, view.now):
        found = held if held and standby.mounted(view) else None
    else:
        before = held[1] if held else None
        request = client_request(view, keyspace)
        found = store.ca, credential.leaf(view, tenants.STORE_CLIENT, before, request, store.client_ca)
    if found is None:
        return {}
    authority, pair = found
    return {standby.CA: authority, standby.CERTIFICATE: pair.certificate, standby.KEY: pair.key}


def _client(view: View, store: Store, keyspace: Keyspace) -> Pair | None:
    """The name is the tenant's user: no organization, no other use than a client's.

    Upstream's say more, which etcd does not look at: such a one stays until the pods roll. Where the DataStore's authority
    cannot sign, tenants show the DataStore's own.
    """
    if store.client_ca is None:
        return store.client
    before = credential.held(view, tenants.STORE_CLIENT)
    request = client_request(view, keyspace)
    waited = standby.material(view) if standby.has_come(view) else None
    if waited is not None and x509.fits(waited[1], request, store.client_ca):
        before = waited[1]  # the tenant has moved: those who have it go on
    if not view.resigned and before is not None and _of_another(before, request, store):
        return before
    return credential.leaf(view, tenants.STORE_CLIENT, before, request, store.client_ca)


def client_request(view: View, keyspace: Keyspace) -> Request:
    """What the tenant's certificate in the store says."""
    return Request(common_name=keyspace.user, client=True, lax=view.kept)


def _of_another(before: Pair, request: Request, store: Store) -> bool:
    """Whether the one that stands is of an authority that the DataStore names beside the one that signs now.

    API servers read it at each handshake, so it stays until the store was seen to take one of the new authority.
    """
    return any(x509.fits(before, request, Pair(certificate=each, key=b"")) for each in store.others)
