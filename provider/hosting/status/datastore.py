"""Status of a DataStore: upstream's two conditions and fields, and our `Ready`, which says what was tried and what to do.

Messages hold no clock and no text that another moment would word differently, so an unchanged store writes nothing.
"""

from __future__ import annotations

from typing import Any

from provider.api import names
from provider.api.verdict import Invalid
from provider.hosting.status import expiry
from provider.hosting.status.steadiness import steady
from provider.hosting.storematerial import BasicAuthInvalid, material
from provider.hosting.storeview import CONDITION_READY, Look, StoreView, Trial
from provider.hosting.view import ETCD
from provider.manifest import checksum, mergepatch
from provider.manifest.condition import Condition, merged, timestamp

VALIDATION = f"{names.KAMAJI_GROUP}/DataStoreValidation"
ALLOWED_DELETION = f"{names.KAMAJI_GROUP}/DataStoreAllowedDeletion"
SPACE = "HasSpace"
NEARLY = 0.8  # of the quota
FLOOR = 16 * 2**20  # bytes: an etcd that nobody uses moves by less
NAMED = 10  # users that a message names; the rest are counted


def of(view: StoreView, trial: Trial, *, restored: bool = False) -> dict[str, Any]:
    """The whole wanted `.status`, laid over the one that stands.

    `restored`: its data is another than before.
    """
    conditions = [_validation(view), _ready(trial), *_space(view, trial), *expiry.of_store(view)]
    status = _status(view, conditions, ready=trial.ready) | _authorities(view)
    if trial.look is not None:
        status |= _said(view, trial.look)
    if restored:
        status["lastRestored"] = timestamp(view.now)
    return status


def ending(view: StoreView) -> dict[str, Any]:
    """The status of a DataStore that somebody deleted: whether it may go, and who holds it if not."""
    if view.users:
        message = f"it holds the state of {listed(view.users)}: delete these TenantControlPlanes first"
        allowed = Condition(type=ALLOWED_DELETION, status="False", reason="DataStoreStillUsed", message=message)
    else:
        allowed = Condition(type=ALLOWED_DELETION, status="True", reason="DataStoreUnused")
    ready = Condition(type=CONDITION_READY, status="False", reason="Deleting", message="it is being deleted")
    return _status(view, [_validation(view), ready, allowed], ready=False)


def listed(users: tuple[str, ...]) -> str:
    """`a/x, b/y and 3 more`."""
    rest = len(users) - NAMED
    return ", ".join(users[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _authorities(view: StoreView) -> dict[str, str]:
    """A Secret that changes is no event of the DataStore, and its tenants have to follow."""
    try:
        named = material(view.datastore, view.secrets).authority.certificate
    except Invalid:
        return {}
    return {"authorities": checksum.of({"": named})[:16]} if named else {}


def _said(view: StoreView, look: Look) -> dict[str, Any]:
    """What it says of itself. What was said before stands while nobody answers."""
    before = (view.raw.get("status") or {}).get("load") or {}
    now = {"size": look.size, "inUse": look.in_use, "quota": look.quota, "tenants": len(view.users)}
    load = steady(before, now, {"size": FLOOR, "inUse": FLOOR})
    return {"version": look.version, "load": load} | ({"clusterID": look.identity} if look.identity else {})


def _status(view: StoreView, conditions: list[Condition], *, ready: bool) -> dict[str, Any]:
    before = view.raw.get("status") or {}
    generation = view.datastore.metadata.generation
    status = {
        "ready": ready,
        "usedBy": list(view.users),
        "conditions": merged(conditions, before.get("conditions"), generation, view.now),
        "observedGeneration": generation,
    }
    return mergepatch.merged(before, status)


def _validation(view: StoreView) -> Condition:
    """Upstream's condition: what the DataStore refers to exists. It says nothing of whether the store answers."""
    try:
        material(view.datastore, view.secrets)
    except Invalid as invalid:
        basic = isinstance(invalid, BasicAuthInvalid)
        reason = "BasicAuthValidationFailed" if basic else "TLSConfigurationValidationFailed"
        return Condition(type=VALIDATION, status="False", reason=reason, message=invalid.message)
    return Condition(type=VALIDATION, status="True", reason="DataStoreIsValid")


def _space(view: StoreView, trial: Trial) -> list[Condition]:
    """Whether an etcd has room, and who takes it up if not. Of a store that says no quota nothing is told."""
    heaviest = f" The heaviest tenants are {', '.join(view.heaviest)}" if view.heaviest else ""
    look = trial.look
    if trial.reason == "Alarm" and "NOSPACE" in trial.message:
        message = f"it takes no write until there is room: history is dropped and members are defragmented.{heaviest}"
        return [Condition(type=SPACE, status="False", reason="Full", message=message)]
    if look is None or not look.quota or view.datastore.spec.driver != ETCD:
        return []
    if look.in_use < NEARLY * look.quota:
        return [Condition(type=SPACE, status="True", reason="HasSpace")]
    message = (
        f"more than {NEARLY:.0%} of its quota holds something: limit or move tenants, or raise its quota.{heaviest}"
    )
    return [Condition(type=SPACE, status="False", reason="NearlyFull", message=message)]


def _ready(trial: Trial) -> Condition:
    status = "True" if trial.ready else "False"
    return Condition(type=CONDITION_READY, status=status, reason=trial.reason, message=trial.message)  # type: ignore[arg-type]
