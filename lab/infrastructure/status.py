"""What the provider says of a LabCluster and of a LabMachine: status out of what was seen and done. Pure.

`Ready` is what core mirrors to the Cluster and the Machine; `initialization.provisioned` never goes back (contract v1beta2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provider.api import names
from provider.manifest import Manifest, meta
from provider.manifest.condition import Condition, merged


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a pass ended: one reason, one sentence that says what to do, and what there is to report.

    Whoever is ready says nothing: core hands each message on to the Cluster, where one means that something is wrong.
    """

    reason: str
    message: str = ""
    ready: bool = False
    addresses: tuple[tuple[str, str], ...] = ()  # (type, address)


def paused(raw: Manifest, cluster: Manifest | None) -> Condition:
    """The condition `Paused`, worded as Cluster API's own controllers do."""
    why = []
    if ((cluster or {}).get("spec") or {}).get("paused"):
        why.append("Cluster spec.paused is set to true")
    if names.ANNOTATION_CAPI_PAUSED in meta.annotations_of(raw):
        why.append(f"{raw['kind']} has the {names.ANNOTATION_CAPI_PAUSED} annotation")
    if why:
        return Condition(type="Paused", status="True", reason="Paused", message=", ".join(why))
    return Condition(type="Paused", status="False", reason="NotPaused")


def of(raw: Manifest, pause: Condition, outcome: Outcome | None, now: datetime) -> dict[str, Any]:
    """The whole status. Without an outcome (paused) only `Paused` moves."""
    before = raw.get("status") or {}
    generation = raw["metadata"].get("generation", 0)
    kept = [each for each in before.get("conditions") or () if each["type"] not in ("Ready", "Paused")]
    if outcome is None:
        kept += [each for each in before.get("conditions") or () if each["type"] == "Ready"]
        return {**before, "conditions": [*kept, *merged([pause], before.get("conditions"), generation, now)]}
    ready = Condition(
        type="Ready", status="True" if outcome.ready else "False", reason=outcome.reason, message=outcome.message
    )
    status = {
        **before,
        "conditions": [*kept, *merged([ready, pause], before.get("conditions"), generation, now)],
        "observedGeneration": generation,
    }
    if outcome.addresses:
        status["addresses"] = [{"type": kind, "address": address} for kind, address in outcome.addresses]
    if outcome.ready:
        status["initialization"] = {"provisioned": True}
    return status


def provisioned(raw: Manifest | None) -> bool:
    """Whether an object of the contract has reached its milestone, once and for all."""
    initialization = ((raw or {}).get("status") or {}).get("initialization") or {}
    return bool(initialization.get("provisioned") or initialization.get("infrastructureProvisioned"))
