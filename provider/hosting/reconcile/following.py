"""When a tenant follows another authority of a store that a pool made: at its turn, for each follows by new pods.

Called by the tenant pass before the tenant's certificate is made. The pool waits for all its tenants at each step, so nobody is
in a hurry: those of one store would otherwise all start again at once. Whom nobody could serve any more does not wait.
"""

from __future__ import annotations

from dataclasses import replace

from provider.api.credentials import tenants
from provider.hosting import credential
from provider.hosting.reconcile.pacing import Key, Starts
from provider.hosting.view import Store, View
from provider.manifest import pem, podstatus, x509


def at_its_turn(turns: Starts, key: Key, view: View) -> tuple[View, bool]:
    """The view, and whether it is the tenant's turn: if not, one that holds on to whom the tenant trusts now."""
    trusted, store = view.secret(tenants.STORE_CLIENT.secret(view.name)).get("ca.crt", b""), view.store
    if store is None or not store.pooled or not _runs(view) or not _shares(trusted, store):
        turns.done(key)
        return view, True
    if not _moves(view, store, trusted):
        if view.deployment is not None and podstatus.rolled_out(view.deployment):
            turns.done(key)
        return view, True
    if turns.admit(key):
        return view, True
    return replace(view, store=replace(store, ca=trusted)), False


def _runs(view: View) -> bool:
    return view.deployment is not None and bool(view.deployment["spec"].get("replicas"))


def _shares(trusted: bytes, store: Store) -> bool:
    """Whether the store knows somebody whom the tenant trusts: else it is cut off already."""
    return bool(set(pem.blocks(trusted)) & set(pem.blocks(store.ca)))


def _moves(view: View, store: Store, trusted: bytes) -> bool:
    """Whether its Secret would become another."""
    if set(pem.blocks(trusted)) != set(pem.blocks(store.ca)):
        return True
    shown = credential.held(view, tenants.STORE_CLIENT)
    return shown is not None and any(x509.verifies(shown.certificate, each) for each in store.others)
