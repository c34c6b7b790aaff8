"""Tries whether a store takes what its DataStore's authority signs now, while another authority is named beside that.

Called by the tenant pass before the tenant's certificate is made. A running API server shows what stands in its Secret at each
handshake: one of an authority that the store does not trust yet would cut it off. So one is made, tried and thrown away.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from provider.api.credentials import tenants
from provider.hosting import credential
from provider.hosting.datastores.errors import StoreError
from provider.hosting.desired import datastore
from provider.hosting.reconcile import claims
from provider.hosting.reconcile.context import Context
from provider.hosting.view import View
from provider.manifest import x509

log = logging.getLogger(__name__)


async def tried(context: Context, view: View) -> View:
    """The view that knows whether the store takes the new authority's; as it was where there is but one, or it does not."""
    store, keyspace = view.store, view.keyspace
    before = credential.held(view, tenants.STORE_CLIENT)
    if store is None or keyspace is None or before is None or not store.others or store.client_ca is None:
        return view
    if x509.verifies(before.certificate, store.client_ca.certificate):
        return replace(view, resigned=True)
    access = claims.access(view, store)
    if access is None or not x509.authority_is_usable(store.client_ca, view.now):
        return view
    request = datastore.client_request(view, keyspace)
    candidate = x509.issue(request, store.client_ca, view.mint, view.now)
    try:
        async with context.dial(replace(access, client=candidate)) as opened:
            await opened.verify(keyspace)
    except StoreError as error:
        log.info("%s/%s keeps its certificate in DataStore %s: %s", view.namespace, view.name, store.name, error)
        return view
    return replace(view, resigned=True)


def waits(view: View) -> bool:
    """Whether it is to be tried again: no event tells when a store trusts another authority."""
    return view.store is not None and bool(view.store.others) and not view.resigned
