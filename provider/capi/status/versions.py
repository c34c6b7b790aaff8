"""Which Kubernetes versions the API servers of a control plane run: `status.versions` and `status.version`. Pure.

The old version is told until its last pod is gone, for Cluster API upgrades workers the moment the new one stands alone. Once
something was told, the list is never empty again: that would read as "not provisioned yet", and hold up workers.
"""

from __future__ import annotations

from typing import Any

from provider.capi.view import View

Release = tuple[tuple[int, ...], tuple[Any, ...], tuple[Any, ...]]


def running(view: View) -> list[dict[str, Any]]:
    """Entries `{version, replicas}` from old to new, each with its leading v; no count rather than 0 (asleep, or ending).

    Empty only before the first API server has answered.
    """
    told, asked = list(view.status.get("versions") or []), _tag(_asked(view))
    installed = _tag(str(view.installed.get("version") or ""))
    # Before the first roll-out is over nothing is installed, and all that runs is what was asked for at first.
    known = installed or (told[0]["version"] if told else "") or (asked if view.serves else "")
    total, updated = (int(view.deployment.get(key) or 0) for key in ("replicas", "updatedReplicas"))
    if not known or (told and total and view.installed.get("status") == "Sleeping"):
        return told  # falling asleep: what still ends may be of the version before
    rolling = view.installed.get("status") == "Upgrading" or not installed
    if not asked or asked == known or not rolling or not updated:
        return [_entry(known, total)]
    return sorted(
        [_entry(known, max(total - updated, 0)), _entry(asked, updated)], key=lambda each: _release(each["version"])
    )


def _asked(view: View) -> str:
    return str((view.asked.get("kubernetes") or {}).get("version") or "")


def _entry(version: str, replicas: int) -> dict[str, Any]:
    return {"version": version, "replicas": replicas} if replicas else {"version": version}


def _tag(version: str) -> str:
    return f"v{version.removeprefix('v')}" if version else ""


def _release(version: str) -> Release:
    """Where a version stands among others, as Cluster API compares them: semantic versioning, then the build metadata."""
    core, _, build = version.removeprefix("v").partition("+")
    numbers, _, early = core.partition("-")
    found = tuple(int(each) for each in numbers.split(".") if each.isdecimal())
    return (
        found,
        (_identifiers(early) if early else ((2,),)),
        _identifiers(build),
    )  # a release comes after its candidates


def _identifiers(text: str) -> tuple[Any, ...]:
    """Numbers by value and before words."""
    return tuple((0, int(each), "") if each.isdecimal() else (1, 0, each) for each in text.split(".") if each)
