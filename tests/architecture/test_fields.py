"""Nothing that a user can set is untested, and docs/fields.md says which test it is."""

from __future__ import annotations

import pytest

from docs import evidence, fields
from provider.api import crd, served
from provider.capi import model

PROVEN = fields.proven()


@pytest.mark.parametrize("kind", fields.KINDS)
def test_every_field_has_a_test_that_fails_when_it_is_ignored(kind: str) -> None:
    untested = sorted(each for each in fields.settable(kind) if (kind, each) not in PROVEN)
    assert not untested, f"mark a test of them with @pytest.mark.fields({kind!r}, …)"


@pytest.mark.parametrize("kind", fields.KINDS)
def test_of_every_field_it_is_said_what_it_is_for(kind: str) -> None:
    silent = [each.path for each in fields.of(kind)[1:] if len(fields.said(each)) < 15]
    assert not silent, "say it at the field in its model, or in provider/api/descriptions.toml"


def test_the_table_of_descriptions_names_fields_that_there_are_and_that_say_nothing_themselves() -> None:
    silent: set[tuple[str, str]] = set()
    for each in fields.KINDS.values():
        for model_name, said_of in each.model_json_schema(by_alias=True)["$defs"].items():
            inside = said_of.get("properties", {}).items()
            silent |= {(model_name, name) for name, node in inside if crd.OPAQUE in node or "description" not in node}
    assert not {(name, field) for name, said in crd.descriptions().items() for field in said} - silent


def test_a_marker_names_fields_that_there_are() -> None:
    unknown = {
        f"{kind} {path}: {', '.join(each.test for each in proofs)}"
        for (kind, path), proofs in PROVEN.items()
        if kind not in fields.KINDS or path not in fields.settable(kind)
    }
    assert not unknown


@pytest.mark.keeps("better.true-documents")
def test_the_page_is_what_models_and_markers_make() -> None:
    assert (evidence.ROOT / "docs" / "fields.md").read_text() == fields.page(), "run `make generate`"


def test_every_kind_has_its_table_and_the_template_the_fields_of_its_kind() -> None:
    assert {each.__name__ for each in (*served.KINDS, *model.KINDS)} == {*fields.KINDS, "KamajiControlPlaneTemplate"}
    template = crd.schema(model.KamajiControlPlaneTemplate)["properties"]["spec"]["properties"]["template"]
    inner = template["properties"]["spec"]["properties"]
    outer = crd.schema(model.KamajiControlPlane)["properties"]["spec"]["properties"]
    left_out = {"version", "replicas", "controlPlaneEndpoint", "rollout", "machineTemplate"}
    assert left_out == outer.keys() - inner.keys()
    assert all(f"`{each}`" in fields.HEAD for each in left_out)
    assert [
        name for name in inner if set(inner[name].get("properties", ())) != set(outer[name].get("properties", ()))
    ] == []
