"""The condition that tells of a rotation while one is under way, and what it waits for; there is none at other times."""

from __future__ import annotations

from collections.abc import Sequence

from provider.api import names
from provider.hosting import rotation
from provider.hosting.rotation import Progress
from provider.hosting.rotation.keyring import ACCOUNT, CA
from provider.hosting.view import View
from provider.manifest.condition import Condition, timestamp

TYPE = "RotationComplete"
NAMED = 5  # nodes or Secrets that a message names


def conditions(view: View) -> list[Condition]:
    """One, False, with a sentence for each rotation; its reason is that of the first."""
    said = [_said(view, each) for each in rotation.progress(view)]
    if not said:
        return []
    return [Condition(type=TYPE, status="False", reason=said[0][0], message="; ".join(each for _, each in said))]


def _said(view: View, progress: Progress) -> tuple[str, str]:
    what = f"{progress.ring.title} {progress.name}"
    if progress.phase == "prepare":
        then = f"it signs as soon as every pod trusts it{_held_up(view)}"
        return "Preparing", f"{what} is trusted beside the one that signs; {then}"
    if progress.phase == "sign":
        return "Signing", f"{what} signs, the former one is trusted still; pods change over{_held_up(view)}"
    reason, waiting = _waiting(progress)
    force = (
        f"to drop the former one all the same, set annotation {names.ANNOTATION_COMPLETE_ROTATION} to {progress.name}"
    )
    return reason, f"{what} signs, the former one is trusted still; {waiting}; {force}"


def _held_up(view: View) -> str:
    return f", which waits until they run {view.tcp.spec.kubernetes.version}" if view.rollout else ""


def _waiting(progress: Progress) -> tuple[str, str]:
    last = f" (by {timestamp(progress.until)} at the latest)" if progress.until else ""
    if progress.ring is CA and progress.behind is None:
        return "NodesUnknown", f"the tenant is to be asked which nodes have followed{last}"
    if progress.ring is CA and progress.behind:
        renew = f"wait until their kubelets have renewed their certificates{last}, or " if progress.until else ""
        waits = f"{renew}make the machines anew"
        return "NodesBehind", f"not known to have followed: node {listed(progress.behind)}; {waits}"
    if progress.ring is ACCOUNT and progress.behind:
        waits = "delete these Secrets, and let whoever used them ask for tokens that expire"
        return "TokensBehind", f"tokens that never expire: Secret {listed(progress.behind)}; {waits}"
    if progress.ring is ACCOUNT:
        return "TokensBehind", f"tokens that it signed expire{last}"
    if progress.fetched:
        return "Completing", f"all nodes have followed, and people have until {timestamp(progress.fetched)}"
    return "Completing", "it goes next"


def listed(found: Sequence[str]) -> str:
    """`a, b and 3 more`."""
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more
