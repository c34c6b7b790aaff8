"""`kamaji explain`: why a tenant is not ready, in sentences, and what to do next. Pure.

The provider's conditions say what is wrong. This puts them in the order of cause, adds what Kubernetes itself warns of, and
says where to look. What no condition can say, such as that no provider runs, is read from what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from provider.api import names
from provider.hosting.status.tenant import ORDER
from provider.manifest import Manifest, meta
from provider.manifest.condition import find, holds
from provider.overview import listing, mending, tree
from provider.overview.rows import age, clean
from provider.overview.runbook import Advice

LATE = 60  # seconds after which a provider that runs would have looked at a change
WARNINGS = 5  # of the last Events that are shown
AFTER_CAUSE = "WaitingForPart"  # of a part that only waits for another, which says more
POSITIVE = ("Paused", "Stalled", "Reconciling", "Placed")
"""Conditions that are no promise: True is news, and what they say is said by another one too."""
WORSE = ("RolloutLoop", "ExpiringSoon")
"""Conditions that are there only when they are True, which is the worse, and that no other one repeats."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    what: str  # a condition's type
    reason: str
    message: str
    since: str = ""  # as an age
    advice: Advice


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What is said of a tenant. `ready`: its kubeconfig works and nothing stands against its spec."""

    name: str
    ready: bool
    headline: str
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def said(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "name": self.name,
            "ready": self.ready,
            "headline": self.headline,
            "findings": [
                {
                    "condition": each.what,
                    "reason": each.reason,
                    "message": each.message,
                    "since": each.since,
                    "next": each.advice.next,
                    "look": list(each.advice.look),
                    "mend": list(each.advice.mend),
                }
                for each in self.findings
            ],
            "warnings": list(self.warnings),
        }


def tenant(found: Manifest, events: Iterable[Manifest], now: datetime) -> Explanation:
    """All that can be said of a TenantControlPlane; `events` are those of its namespace."""
    metadata, status = found["metadata"], found.get("status") or {}
    name = f"{metadata['namespace']}/{metadata['name']}"
    findings = tuple(_findings(found, now))
    ready = holds(status.get("conditions"), "Ready")
    return Explanation(
        name=name,
        ready=ready and not findings,
        headline=_headline(found, name, ready, findings),
        findings=findings,
        warnings=tuple(_warnings(found, events, now)),
    )


def _headline(found: Manifest, name: str, ready: bool, findings: Sequence[Finding]) -> str:
    status = found.get("status") or {}
    version = ((status.get("kubernetesResources") or {}).get("version") or {}).get("version")
    if found["metadata"].get("deletionTimestamp"):
        return f"{name} is being deleted, and its end waits for something."
    if ready and findings:
        return f"{name} serves {version} at {status.get('controlPlaneEndpoint')}, but not all is as its spec asks."
    if ready:
        return f"{name} is ready: {version} at {status.get('controlPlaneEndpoint')}; its kubeconfig works and workers can join."
    if listing.state(found) == "Sleeping":
        return f"{name} sleeps."
    return f"{name} is not ready."


def health(kind: str, status: str) -> str:
    """Of a condition, as of the objects in a tree."""
    if kind in POSITIVE:
        bad = kind == "Stalled"
        return tree.OK if status != "True" or kind == "Placed" else tree.BAD if bad else tree.WAITING
    if status == "Unknown":
        return tree.WAITING
    return tree.BAD if _fails(kind, status) else tree.OK


def _findings(found: Manifest, now: datetime) -> Iterable[Finding]:
    metadata, status = found["metadata"], found.get("status") or {}
    conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    if unseen := _unseen(found, now):
        yield unseen
    if names.ANNOTATION_PAUSED in meta.annotations_of(found):
        said = find(conditions, "Paused") or {"message": "nothing is changed until it is unpaused"}
        yield _finding(found, {"type": "Paused", "reason": "Paused", **said}, now)
    failing = [each for each in conditions if _fails(str(each.get("type")), str(each.get("status")))]
    causes = [each for each in failing if each.get("type") != "Ready"]
    sleeping = any(each.get("reason") == "Sleeping" for each in causes)
    ranked = sorted(causes, key=lambda each: _rank(str(each.get("type"))))
    for each in ranked if not sleeping else [next(each for each in ranked if each.get("reason") == "Sleeping")]:
        if each.get("reason") != AFTER_CAUSE or len(causes) == 1:
            yield _finding(found, each, now)
    if failing and not causes:
        yield _finding(found, failing[0], now)
    if metadata.get("deletionTimestamp") and not causes:
        held = ", ".join(metadata.get("finalizers") or ()) or "no finalizer, so it goes in a moment"
        yield Finding(
            what="Deleting",
            reason="Held",
            message=f"held by {held}",
            advice=mending.advice(found, "Deleting", "HeldByOthers"),
            since=_since(found, now),
        )


def _fails(kind: str, status: str) -> bool:
    return status == "True" if kind in WORSE else kind not in POSITIVE and status != "True"


def _unseen(found: Manifest, now: datetime) -> Finding | None:
    """That nobody has looked at the object since it was last changed; None while there was no time to."""
    metadata, status = found["metadata"], found.get("status") or {}
    if status.get("observedGeneration", 0) >= metadata.get("generation", 1):
        return None
    changed = max(
        (str(each.get("time") or "") for each in metadata.get("managedFields") or () if not each.get("subresource")),
        default=str(metadata["creationTimestamp"]),
    )
    since = datetime.fromisoformat(changed or metadata["creationTimestamp"])
    if (now - since).total_seconds() < LATE:
        return None
    advice = Advice(
        "See that the provider runs and leads, and watches this namespace.",
        (
            "kamaji doctor",
            "kubectl -n kamaji-system get pods",
            "kubectl -n kamaji-system logs deploy/kamaji-provider --tail=50",
        ),
    )
    what = "it was made" if not status else "its spec was last changed"
    message = f"no provider has looked at it since {what} {age(since.isoformat(), now)} ago"
    return Finding(what="Observed", reason="NotObserved", message=message, advice=advice)


def _finding(found: Manifest, condition: Mapping[str, Any], now: datetime) -> Finding:
    kind, reason = str(condition.get("type")), str(condition.get("reason") or "")
    return Finding(
        what=kind,
        reason=reason,
        message=clean(str(condition.get("message") or reason)),
        since=age(condition.get("lastTransitionTime"), now),
        advice=mending.advice(found, kind, reason),
    )


def _since(found: Manifest, now: datetime) -> str:
    return age(found["metadata"].get("deletionTimestamp"), now)


def _rank(kind: str) -> int:
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def _warnings(found: Manifest, events: Iterable[Manifest], now: datetime) -> Iterable[str]:
    """The last warnings about the tenant and what is called after it, the newest first, each kind once."""
    name = found["metadata"]["name"]
    said: dict[tuple[str, str], str] = {}
    for each in sorted(events, key=_moment, reverse=True):
        about = each.get("regarding") or {}
        if each.get("type") != "Warning" or not re.match(rf"{re.escape(name)}(-|$)", str(about.get("name"))):
            continue
        words = clean(str(each.get("note") or ""))
        key = (str(about.get("kind")), str(each.get("reason")))
        said.setdefault(
            key,
            f"{age(_moment(each), now)} ago, {about.get('kind')} {about.get('name')}: {each.get('reason')}: {words}",
        )
    return list(said.values())[:WARNINGS]


def _moment(event: Manifest) -> str:
    series = event.get("series") or {}
    found = series.get("lastObservedTime") or event.get("deprecatedLastTimestamp") or event.get("eventTime")
    return str(found or event["metadata"].get("creationTimestamp") or "")
