"""Commands that mend what stands against a tenant, as far as its object and a reason can tell. Pure; called by `explain`.

A command is printed only where it does something: a field that is set is taken back, a store that was asked for is left for the
one that the tenant is in. Where Cluster API asks for the tenant, what is changed in the tenant itself would be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from provider.api import kinds
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid
from provider.hosting.migration import UNDER_WAY
from provider.manifest import Manifest
from provider.overview import runbook
from provider.overview.runbook import Advice

MOVE = "Migrated"  # the condition


def advice(found: Manifest, condition: str, reason: str) -> Advice:
    """What to do about a reason that a tenant's condition gives, with its names put in."""
    metadata, known = found["metadata"], runbook.advice(reason)
    home, asked = stores(found)
    about = known.about(metadata["namespace"], metadata["name"], asked or home if condition == MOVE else home or asked)
    mends = (*about.mend, *_back(found, condition), *_taken_back(found, known.fields))
    asking = _asking(found)
    if asking is None:
        return replace(about, mend=mends)
    there = f"kubectl -n {metadata['namespace']} edit kamajicontrolplane {asking}   # which asks for this tenant"
    look = tuple(each for each in about.look if " edit tenantcontrolplane " not in each)
    said = [each for each in mends if " patch tenantcontrolplane " not in each]
    changed = len(look) < len(about.look) or len(said) < len(mends)
    return replace(about, look=look, mend=(*said, *([there] if changed else [])))


def stores(found: Manifest) -> tuple[str, str]:
    """The DataStore that a tenant is in, and the one that its spec asks for; empty where there is none."""
    storage = (found.get("status") or {}).get("storage") or {}
    return str(storage.get("dataStoreName") or ""), str(found["spec"].get("dataStore") or "")


def _back(found: Manifest, condition: str) -> Iterable[str]:
    """From a move that does not begin or has failed."""
    home, asked = stores(found)
    move = ((found.get("status") or {}).get("storage") or {}).get("migration") or {}
    if condition == MOVE and home and asked not in ("", home) and move.get("phase") not in UNDER_WAY:
        yield f"kamaji move {found['metadata']['namespace']}/{found['metadata']['name']} {home}"


def _taken_back(found: Manifest, fields: Iterable[str]) -> Iterable[str]:
    try:
        spec = TenantControlPlane.parse(found).spec
    except Invalid:  # another operator's CRD has let it in
        return
    metadata = found["metadata"]
    for each in fields:
        names = each.split(".")
        if _is_set(spec, names):
            patch = json.dumps({"spec": _nothing(names)}, separators=(",", ":"))
            where = f"kubectl -n {metadata['namespace']} patch tenantcontrolplane {metadata['name']}"
            yield f"{where} --type=merge -p '{patch}'"


def _is_set(model: BaseModel, names: list[str]) -> bool:
    """Whether a field is other than its default."""
    first, *rest = names
    key, field = next((key, each) for key, each in type(model).model_fields.items() if first in (each.alias, key))
    value = getattr(model, key)
    if rest:
        return isinstance(value, BaseModel) and _is_set(value, rest)
    return bool(value != field.get_default(call_default_factory=True))


def _nothing(names: list[str]) -> Any:
    """A merge patch by which the field goes."""
    first, *rest = names
    return {first: _nothing(rest) if rest else None}


def _asking(found: Manifest) -> str | None:
    """The KamajiControlPlane that says what the tenant is."""
    owners: Iterable[Mapping[str, Any]] = found["metadata"].get("ownerReferences") or ()
    kind = kinds.KAMAJI_CONTROL_PLANE.kind
    return next((str(each["name"]) for each in owners if each.get("kind") == kind and each.get("controller")), None)
