"""Shapes that the generator makes; what a real API server says of them is in tests/integration/test_crds.py."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from provider.api import crd
from provider.api.definition import Column, Definition, Scale
from provider.api.kinds import Kind
from provider.api.meta import Conditions, Resource
from provider.api.model import Model
from provider.api.schema import Bytes, Foreign, Int64, Json, NotYet, NumberOrName, Rule, immutable
from provider.api.tenantcontrolplane import TenantControlPlane


class Leaf(Model):
    """A leaf."""

    RULES = (Rule("has(self.a)", "a is needed"),)

    a: str | None = None
    later: Annotated[str | None, NotYet()] = None


class Spec(Model):
    """A spec."""

    number: int
    big: Int64 | None = None
    few: Annotated[int, Field(ge=1, le=3)] = 2
    word: Literal["x", "y"] = "x"
    only: Literal["z"] = "z"
    port: NumberOrName | None = None
    key: Bytes | None = None
    value: Json = None
    leaf: Annotated[Leaf | None, Rule("self == oldSelf", "for life"), Field(description="Said here.")] = None
    preset: Leaf = Leaf(a="b")
    silent: Leaf = Leaf()
    leaves: tuple[Leaf, ...] = ()
    names: dict[str, str] = Field(default_factory=dict)
    frozen: Annotated[str, immutable("frozen")] | None = None
    pod: Annotated[dict[str, Any] | None, Foreign("core/v1 Pod", "name")] = None


class Thing(Resource):
    """A thing."""

    DEFINITION = Definition(
        kind=Kind("example.com/v1", "Thing", "things"),
        short_names=("th",),
        categories=("all",),
        columns=(Column("Few", "integer", ".spec.few", priority=1),),
        scale=Scale(spec=".spec.few", status=".status.few", selector=".status.selector"),
        labels={"a": "b"},
    )

    spec: Spec
    status: Annotated[Leaf, Field(description="Status.")] = Leaf(a="never written")


SPEC = crd.schema(Thing)["properties"]["spec"]
FIELDS = SPEC["properties"]


def test_a_kind_is_served_under_its_names_in_one_stored_version() -> None:
    made = crd.manifest(Thing)
    assert made["metadata"] == {"name": "things.example.com", "labels": {"a": "b"}}
    assert made["spec"]["names"] == {
        "kind": "Thing",
        "listKind": "ThingList",
        "plural": "things",
        "singular": "thing",
        "shortNames": ["th"],
        "categories": ["all"],
    }
    (version,) = made["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1", True, True)
    assert version["additionalPrinterColumns"] == [
        {"name": "Few", "type": "integer", "jsonPath": ".spec.few", "priority": 1}
    ]
    assert version["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.few",
            "statusReplicasPath": ".status.few",
            "labelSelectorPath": ".status.selector",
        },
    }


def test_nothing_is_left_that_the_api_server_does_not_know() -> None:
    text = str(crd.schema(Thing))
    for word in ("$ref", "$defs", "anyOf", "title", "const", "x-not-yet", "x-required", "None"):
        assert f"'{word}'" not in text


def test_numbers_have_a_format_and_bounds() -> None:
    assert FIELDS["number"] == {"type": "integer", "format": "int32"}
    assert FIELDS["big"] == {"type": "integer", "format": "int64"}
    assert FIELDS["few"] == {"type": "integer", "format": "int32", "minimum": 1, "maximum": 3, "default": 2}


def test_choices_are_enumerated() -> None:
    assert FIELDS["word"] == {"type": "string", "enum": ["x", "y"], "default": "x"}
    assert FIELDS["only"] == {"type": "string", "enum": ["z"], "default": "z"}


def test_what_kubernetes_writes_in_its_own_way_is_said_in_its_own_way() -> None:
    assert FIELDS["port"] == {"x-kubernetes-int-or-string": True}
    assert FIELDS["key"] == {"type": "string", "format": "byte"}
    assert FIELDS["value"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert FIELDS["names"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert FIELDS["pod"] == {
        "type": "object",
        "description": "core/v1 Pod",
        "required": ["name"],
        "properties": {"name": {"type": "string"}},
        "x-kubernetes-preserve-unknown-fields": True,
    }


def test_required_is_what_has_no_default() -> None:
    assert SPEC["required"] == ["number"]
    assert crd.schema(Thing)["required"] == ["spec"]


def test_rules_of_a_field_and_of_its_type_add_up() -> None:
    assert FIELDS["leaf"]["x-kubernetes-validations"] == [
        {"rule": "has(self.a)", "message": "a is needed"},
        {"rule": "self == oldSelf", "message": "for life"},
    ]
    assert FIELDS["leaf"]["description"] == "Said here."
    assert FIELDS["frozen"]["x-kubernetes-validations"][0]["rule"] == "self == oldSelf"


def test_a_field_not_acted_on_refuses_itself_by_its_whole_path() -> None:
    assert FIELDS["leaf"]["properties"]["later"]["x-kubernetes-validations"] == [
        {"rule": "false", "message": "spec.leaf.later is not acted on by this release: remove it"}
    ]
    (inner,) = FIELDS["leaves"]["items"]["properties"]["later"]["x-kubernetes-validations"]
    assert inner["message"].startswith("spec.leaves[].later is not acted on")


def test_what_is_known_of_a_foreign_type_is_declared_and_the_rest_kept() -> None:
    made = crd.schema(TenantControlPlane)["properties"]["spec"]["properties"]["controlPlane"]["properties"][
        "deployment"
    ]
    strategy = made["properties"]["strategy"]
    assert strategy["x-kubernetes-preserve-unknown-fields"] is True
    assert set(strategy["properties"]) == {"type", "rollingUpdate"}


def test_a_default_says_only_what_it_has_to_say() -> None:
    assert FIELDS["preset"]["default"] == {"a": "b"}
    assert "default" not in FIELDS["silent"]
    assert "default" not in FIELDS["leaves"]
    assert "default" not in FIELDS["names"]


def test_a_status_is_never_defaulted_into_being() -> None:
    assert "default" not in crd.schema(Thing)["properties"]["status"]


def test_a_free_form_object_is_refused_when_the_schema_is_made() -> None:
    class Loose(Resource):
        """Loose."""

        DEFINITION = Thing.DEFINITION
        spec: dict[str, Any]

    with pytest.raises(ValueError, match="spec: a free-form object"):
        crd.schema(Loose)


def test_alternatives_are_refused_when_the_schema_is_made() -> None:
    class Torn(Resource):
        """Torn."""

        DEFINITION = Thing.DEFINITION
        spec: int | str

    with pytest.raises(ValueError, match="not structural"):
        crd.schema(Torn)


def test_a_list_of_conditions_is_a_map_by_type() -> None:
    class Conditioned(Resource):
        """Conditioned."""

        DEFINITION = Thing.DEFINITION
        status: Conditions = ()

    made = crd.schema(Conditioned)["properties"]["status"]
    assert (made["x-kubernetes-list-type"], made["x-kubernetes-list-map-keys"]) == ("map", ["type"])
    assert made["items"]["required"] == ["lastTransitionTime", "message", "reason", "status", "type"]
