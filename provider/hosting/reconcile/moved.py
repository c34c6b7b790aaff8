"""Where the state is of a tenant that was moved here and names no DataStore: in the store that its certificate opens.

Its Secrets came along, its status did not (decision 0017). Called by `placing`.
"""

from __future__ import annotations

import asyncio

from provider.api import kinds, names
from provider.hosting.datastores.errors import StoreError
from provider.hosting.observe import datastore
from provider.hosting.reconcile.context import Context
from provider.hosting.storematerial import Access
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from provider.manifest.x509 import Pair

PATIENCE = 10.0  # seconds for one store


async def keyspace(context: Context, tcp: Manifest) -> Keyspace | None:
    """The keyspace that the tenant's own Secret names; None of one that is born here."""
    name, namespace = tcp["metadata"]["name"], tcp["metadata"]["namespace"]
    secret = await context.cluster.get(kinds.SECRET, names.datastore_config_secret(name), namespace)
    owners = ((secret or {}).get("metadata") or {}).get("ownerReferences") or ()
    data = meta.decoded(secret)
    schema, user = (data.get(key, b"").decode(errors="replace") for key in ("DB_SCHEMA", "DB_USER"))
    ours = any(each.get("uid") == tcp["metadata"]["uid"] for each in owners)
    return Keyspace(schema=schema, user=user) if ours and schema and user else None


async def store(context: Context, tcp: Manifest, keyspace: Keyspace, stores: list[str]) -> str:
    """The first of these etcds that lets the tenant's certificate into the keyspace and nowhere else; empty: none does."""
    name, namespace = tcp["metadata"]["name"], tcp["metadata"]["namespace"]
    secret = await context.cluster.get(kinds.SECRET, names.datastore_certificate_secret(name), namespace)
    data = meta.decoded(secret)
    if not (data.get("server.crt") and data.get("server.key")):
        return ""
    pair = Pair(certificate=data["server.crt"], key=data["server.key"])
    for each in stores:
        found = await datastore.store(context.cluster, each)
        if found is None or found.kine:
            continue
        access = Access(driver=found.driver, endpoints=found.endpoints, ca=found.ca, client=pair)
        if await _opens(context, access, keyspace):
            return each
    return ""


async def _opens(context: Context, access: Access, keyspace: Keyspace) -> bool:
    try:
        async with asyncio.timeout(PATIENCE), context.dial(access) as opened:
            await opened.verify(keyspace)
    except (StoreError, TimeoutError):
        return False
    return True
