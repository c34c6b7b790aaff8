"""The condition of a DataStorePool that tells of another authority of its stores, while one is under way, and who is behind."""

from __future__ import annotations

from collections.abc import Iterable

from provider.api import names
from provider.hosting.rotation import stores
from provider.hosting.rotation.stores import Progress
from provider.hosting.status.rotation import TYPE, listed
from provider.hosting.storeview import PoolView
from provider.manifest.condition import Condition


def conditions(views: Iterable[PoolView]) -> list[Condition]:
    """One, False, with a sentence for each rotation; its reason is that of the first. None at other times."""
    said = [_said(view.name, each) for view in views for each in stores.progress(view)]
    if not said:
        return []
    return [Condition(type=TYPE, status="False", reason=said[0][0], message="; ".join(each for _, each in said))]


def _said(store: str, progress: Progress) -> tuple[str, str]:
    what = f"store {store}: {progress.ring.title} {progress.name}"
    stands = "signs, the former one is trusted still" if progress.signs else "is trusted beside the one that signs"
    reason, waits = _waiting(progress)
    return reason, f"{what} {stands}; {waits}"


def _waiting(progress: Progress) -> tuple[str, str]:
    if progress.members:
        return "MembersBehind", f"members that have yet to follow: {listed(progress.members)}"
    then = "drop the former one" if progress.signs else "let it sign"
    force = f"to {then} all the same, set annotation {names.ANNOTATION_COMPLETE_ROTATION} to {progress.name}"
    if progress.tenants is None:
        return "TenantsUnknown", "it is to be seen which tenants have followed"
    if progress.tenants:
        return "TenantsBehind", f"tenants that have yet to follow: {listed(progress.tenants)}; {force}"
    return ("Completing", "the former one goes next") if progress.signs else ("Preparing", "it signs next")
