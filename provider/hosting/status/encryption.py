"""The condition that tells whether stored objects are encrypted, and what is waited for until then; none where nobody asks."""

from __future__ import annotations

from provider.hosting.encryption import progress
from provider.hosting.encryption.progress import Progress
from provider.hosting.view import View
from provider.manifest.condition import Condition

TYPE = "Encrypted"


def condition(view: View, applied: Condition) -> Condition | None:
    """Of a part that was applied, how far it is: True also while another key takes the place of one."""
    found = progress.of(view)
    if applied.status != "True" or found is None:
        return applied if applied.status != "True" else None
    if found.phase == "Encrypted":
        return Condition(type=TYPE, status="True", reason="Encrypted", message=_complete(view, found))
    message = f"{_aim(found)}: {_waiting(found)}"
    if found.encrypted:
        return Condition(type=TYPE, status="True", reason=found.phase, message=message)
    if found.phase == "Preparing":
        return Condition(type=TYPE, status="False", reason="Preparing", message=message)
    if found.phase == "Writing":
        return Condition(type=TYPE, status="False", reason="Writing", message=message)
    return Condition(type=TYPE, status="False", reason="Rewriting", message=message)


def _aim(found: Progress) -> str:
    if not found.wish.on:
        return f"{_listed(found)} are to be stored in plain text"
    return f"{', '.join(found.wish.resources)} are to be stored encrypted by {found.by}"


def _waiting(found: Progress) -> str:
    if found.phase == "Preparing":
        return "all pods learn to read that before one of them writes so"
    if found.phase == "Writing":
        return "pods change over; what lies in the store is written once more after that"
    seen = found.stored
    if seen is None or seen.done:
        return "what lies in the store is written once more, or is looked at"
    trouble = f"; it does not go on: {seen.trouble}" if seen.trouble else ""
    return f"{seen.left} of {seen.total} objects in the store are to be written once more{trouble}"


def _complete(view: View, found: Progress) -> str:
    """What was proven is in the status, and stands."""
    proven = ((view.status.get("storage") or {}).get("encryption") or {}).get("proven")
    proof = (found.stored.proven if found.stored else proven) or False
    how = (
        "as was read off the store"
        if proof
        else "each was written once more, which cannot be read off the store by the provider"
    )
    return f"{', '.join(found.wish.resources)} are stored encrypted by {found.by}, {how}"


def _listed(found: Progress) -> str:
    return ", ".join(sorted(found.held.document.writers))
