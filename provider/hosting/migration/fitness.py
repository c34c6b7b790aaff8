"""Whether a tenant can move to the store that its spec asks for, before anything is asked of either. Pure."""

from __future__ import annotations

from provider.api.verdict import Invalid, NotReady
from provider.hosting.migration import sight
from provider.hosting.migration.sight import Change
from provider.hosting.view import Store, View
from provider.manifest import x509

LONGEST_NAME = 63  # characters of a DataStore's name that a finalizer has room for (decision 0009)


def checked(view: View, store: Store) -> Store:
    """The store to go to; `store` is the home. NotReady while one is not there or not ready, Invalid where it cannot be."""
    name, other, where = sight.wanted(view), view.other, sight.asked_by(view)
    if other is None:
        said = f"{where}: DataStore {name} does not exist: create it, or name another"
        raise NotReady("DataStoreNotFound", said)
    if refused := _refusal(view, store, other):
        reason, why = refused
        stay = f"the tenant stays in DataStore {store.name}: set {where} back to that"
        raise Invalid(reason, f"{where}: {why}; {stay}")
    for each in (other, store):
        if not each.ready:
            raise NotReady("DataStoreNotReady", f"DataStore {each.name} is not ready: {each.message}")
    if other.client_ca is None or not x509.authority_is_usable(other.client_ca, view.now):
        why = "cannot sign the tenant's certificate: its authority has no key of its own, or has expired"
        raise Invalid("DataStoreUnusable", f"{where}: DataStore {name} {why}")
    return other


def checked_override(view: View, change: Change) -> Store:
    """The same of overrides that are to lie in another store: all that lies in one goes together, to where nothing else is."""
    asked = {each.resource: each.data_store for each in view.tcp.spec.data_store_overrides}
    where, other = f"spec.dataStoreOverrides: {', '.join(change.resources)}", view.other
    if other is None or other.name != change.target:
        raise NotReady(
            "DataStoreNotFound", f"{where}: DataStore {change.target} does not exist: create it, or name another"
        )
    if any(asked.get(each) != change.target for each in change.resources):
        raise Invalid(
            "OverridesStay", f"{where} lie in DataStore {change.source} and can only move together: name one for all"
        )
    taken = {each.data_store for each in view.overrides} | {view.store.name if view.store else ""}
    if change.target in taken:
        raise Invalid(
            "OverridesStay", f"{where}: DataStore {change.target} holds other resources of the tenant: name another"
        )
    return other


def _refusal(view: View, store: Store, other: Store) -> tuple[str, str] | None:
    """(reason, why) of what no wait mends."""
    for each in (store, other):
        if each.kine:
            return (
                "DriverCannotMove",
                f"DataStore {each.name} is {each.driver}, and tenants move from etcd to etcd only: kine says yes to writes that"
                " its store refuses, so none could be held without loss",
            )
        if len(each.name) > LONGEST_NAME:
            return "NameTooLong", f"the name of DataStore {each.name} has more than {LONGEST_NAME} characters"
    if view.overrides:
        return (
            "OverridesStay",
            "a tenant with spec.dataStoreOverrides cannot move, for all its stores need one authority",
        )
    return None
