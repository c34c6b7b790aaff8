"""Whether a tenant keeps within its limits of storage: a condition of those that have one, or that are held back."""

from __future__ import annotations

from provider.api import names
from provider.api.verdict import Invalid
from provider.hosting import quota
from provider.hosting.view import View
from provider.manifest.condition import Condition

TYPE = "StorageWithinLimits"


def conditions(view: View) -> list[Condition]:
    """One, and none without a limit; limits that cannot be read are told by Accepted."""
    throttle = quota.throttle(view.raw)
    try:
        return [_held_back(throttle)] if throttle is not None else _limited(quota.of(view.raw))
    except Invalid:
        return []


def _limited(found: quota.Quota) -> list[Condition]:
    used = quota.words(found.used or 0)
    match found.state:
        case "unlimited":
            return []
        case "unknown":
            message = "what it takes up was not measured yet"
            return [Condition(type=TYPE, status="Unknown", reason="NotMeasured", message=message)]
        case "within":
            return [Condition(type=TYPE, status="True", reason="WithinLimits")]
        case "soft":
            limit = f"{used} of storage, above the soft limit of {quota.words(found.soft or 0)}"
            then = (
                f"; at {quota.words(found.hard)} nothing more is taken (annotation {names.ANNOTATION_STORAGE_HARD_LIMIT})"
                if found.hard is not None
                else ""
            )
            message = f"it takes up {limit}: delete what is not needed inside, or raise the limit{then}"
            return [Condition(type=TYPE, status="False", reason="SoftLimitReached", message=message)]
    message = (
        f"it takes up {used} of storage, above the hard limit of {quota.words(found.hard or 0)}: objects inside can be read and"
        " deleted, not made or changed; delete what is not needed, or raise annotation"
        f" {names.ANNOTATION_STORAGE_HARD_LIMIT}"
    )
    return [Condition(type=TYPE, status="False", reason="HardLimitReached", message=message)]


def _held_back(throttle: quota.Throttle) -> Condition:
    refused = (
        "the store refuses all that is written inside, deletions too"
        if throttle.closed
        else "objects inside can be read and deleted, not made or changed"
    )
    message = (
        f"{throttle.reason}: for some minutes {refused}, so that its neighbours can write. Find out what writes so much, and"
        f" stop it, limit it (annotation {names.ANNOTATION_STORAGE_HARD_LIMIT}), or move this tenant to a store of its own"
    )
    return Condition(type=TYPE, status="False", reason="HeldBack", message=message)
