"""What a pool may not ask for. Looked at before anything is applied, so that a refused pool leaves what runs as it is."""

from __future__ import annotations

import re

from provider.api import kinds
from provider.api.verdict import Invalid
from provider.hosting.desired.pool import snapshot
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest

NAME = re.compile("[a-z]([-a-z0-9]{0,38}[a-z0-9])?")


def refusal(view: PoolView) -> Invalid | None:
    """The first thing that is wrong with what is asked, or None."""
    if not NAME.fullmatch(view.pool.name):
        message = f"the name of a pool becomes part of Service names: {NAME.pattern!r}; make one with another name"
        return Invalid("NameUnusable", message)
    store = view.seen.get(kinds.DATA_STORE, view.name)
    if store is not None and not offers(view, store):
        message = (
            f"DataStore {view.name} exists and is not this pool's: delete this pool and make one with another name"
        )
        return Invalid("NameTaken", message)
    if (meaningless := _selectors(view)) is not None:
        return meaningless
    return _version(view)


def _selectors(view: PoolView) -> Invalid | None:
    spec = view.pool.spec
    for field, selector in (("storeSelector", spec.store_selector), ("tenantSelector", spec.tenant_selector)):
        try:
            if selector is not None:
                selector.matches({})
        except Invalid as invalid:
            return Invalid(invalid.reason, f"spec.{field}: {invalid.message}")
    return None


def offers(view: PoolView, store: Manifest) -> bool:
    """Whether the DataStore is this pool's own."""
    owners = store["metadata"].get("ownerReferences") or ()
    return any(each["uid"] == view.pool.metadata.uid for each in owners)


def _version(view: PoolView) -> Invalid | None:
    """One minor up at a time, from the oldest that runs; no minor down from the newest."""
    running = _running(view)
    if not running:
        return None
    asked, oldest, newest = snapshot.asked(view), min(running, key=minor), max(running, key=minor)
    if minor(asked) < minor(newest):
        message = f"etcd {newest} does not go back to {asked}: set spec.version to {newest} or later"
        return Invalid("VersionDowngrade", message)
    major, of_it = minor(oldest)
    if minor(asked) > (major, of_it + 1):
        message = (
            f"etcd goes up one minor version at a time, and {oldest} runs: set spec.version to a {major}.{of_it + 1} first, and"
            f" to {asked} once every member runs that"
        )
        return Invalid("VersionJump", message)
    return None


def _running(view: PoolView) -> set[str]:
    """Versions that members say they run, or, where none says, that they were told to run."""
    told = snapshot.told(view)
    if told is None:
        return set()
    return {each.version for each in view.membership or () if each.version} or {told}


def minor(version: str) -> tuple[int, int]:
    """(3, 6) of `3.6.16` or `v3.6.16`. A patch release may go back; a minor writes what older ones cannot read."""
    major, of_it, _ = version.removeprefix("v").split(".")
    return int(major), int(of_it)
