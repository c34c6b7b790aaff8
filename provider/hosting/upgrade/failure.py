"""What is remembered of an upgrade that failed: to which version, for which spec, and why. An annotation of the Deployment.

Once it is undone, nothing in the world tells of it any more, and it would be tried again for ever (decision 0006).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from provider.api import names
from provider.hosting.view import View
from provider.manifest import meta


@dataclass(frozen=True)
class Failure:
    """One failure. `spec` is the fingerprint of the spec that asked for the version, `back` what runs in its place."""

    version: str
    back: str
    spec: str
    why: str

    def written(self) -> str:
        """As the annotation's value."""
        return json.dumps(asdict(self), sort_keys=True)


def of(view: View, version: str, back: str, why: str) -> Failure:
    """The failure of this version with the spec as it is."""
    return Failure(version, back, _digest(view), why)


def remembered(view: View) -> Failure | None:
    """What the Deployment remembers, while the spec, of which the wanted version is part, has not changed since."""
    said = meta.annotations_of(view.deployment or {}).get(names.ANNOTATION_UPGRADE_FAILED)
    try:
        found = Failure(**json.loads(said)) if said else None
    except (ValueError, TypeError):
        return None
    return found if found and found.spec == _digest(view) else None


def _digest(view: View) -> str:
    """The spec's fingerprint. Replicas are left out: an autoscaler's word is no new attempt at an upgrade."""
    spec = dict(view.raw["spec"])
    plane = dict(spec.get("controlPlane") or {})
    deployment = {key: value for key, value in (plane.get("deployment") or {}).items() if key != "replicas"}
    content = {**spec, "controlPlane": {**plane, "deployment": deployment}}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
