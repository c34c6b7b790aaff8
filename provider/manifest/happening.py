"""Something that happened to an object, and the Event (events.k8s.io/v1) that tells of it. Written by `cluster.events`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from provider.api import kinds
from provider.manifest import Manifest, meta

NOTE = 1024  # bytes an API server takes
CONTROLLER = "kamaji.clastix.io/provider"


@dataclass(frozen=True, slots=True)
class Happening:
    """`reason` is stable CamelCase; `note` is for people and holds no secret. A warning is something to act on."""

    reason: str
    note: str
    warning: bool = False
    action: str = "Reconcile"


def event(what: Happening, regarding: Manifest, name: str, instance: str, now: datetime) -> Manifest:
    """The Event, in the object's namespace; of cluster-scoped objects in `default`, as API servers ask."""
    metadata = regarding["metadata"]
    about = {"apiVersion": regarding["apiVersion"], "kind": regarding["kind"], "name": metadata["name"]}
    about |= {key: metadata[key] for key in ("namespace", "uid") if metadata.get(key)}
    return meta.new(
        kinds.EVENT,
        name,
        metadata.get("namespace") or "default",
        eventTime=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        type="Warning" if what.warning else "Normal",
        reason=what.reason,
        action=what.action,
        note=_short(what.note),
        regarding=about,
        reportingController=CONTROLLER,
        reportingInstance=instance,
    )


def _short(note: str) -> str:
    encoded = note.encode()
    return note if len(encoded) <= NOTE else encoded[: NOTE - 3].decode(errors="ignore") + "…"
