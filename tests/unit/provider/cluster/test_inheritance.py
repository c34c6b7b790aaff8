"""What an operator of our name wrote by Update is ours to say, once: before we first apply."""

from __future__ import annotations

from typing import Any

from provider.api import kinds
from provider.cluster import ownership
from provider.manifest import Manifest, meta


def live(*entries: dict[str, Any]) -> Manifest:
    found = meta.new(kinds.CONFIG_MAP, "x", "ns")
    found["metadata"]["managedFields"] = list(entries)
    return found


def entry(manager: str, operation: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields, **more}


OTHERS = entry("kubectl-edit", "Update", {"f:data": {"f:c": {}}})


def test_updates_of_our_name_become_applied_and_everybody_else_stays() -> None:
    one = entry("kamaji", "Update", {"f:data": {"f:a": {}}}, time="2025-01-01T00:00:00Z")
    two = entry("kamaji", "Update", {"f:data": {"f:b": {}}, "f:metadata": {}}, apiVersion="v1")
    found = ownership.inherited(live(OTHERS, one, two), "kamaji")
    assert found is not None
    others, ours = found
    assert others == OTHERS
    assert (ours["operation"], ours["manager"], ours["apiVersion"]) == ("Apply", "kamaji", "v1")
    assert ours["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}}, "f:metadata": {}}


def test_once_we_have_applied_an_update_of_our_name_is_a_patch_of_our_own() -> None:
    update, apply = entry("kamaji", "Update", {"f:a": {}}), entry("kamaji", "Apply", {"f:b": {}})
    assert ownership.inherited(live(update, apply), "kamaji") is None


def test_nothing_of_others_and_no_status_is_inherited() -> None:
    status = entry("kamaji", "Update", {"f:status": {}}, subresource="status")
    assert ownership.inherited(live(OTHERS, status), "kamaji") is None
    assert ownership.inherited(meta.new(kinds.CONFIG_MAP, "x", "ns"), "kamaji") is None
