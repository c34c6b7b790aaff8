"""config/crd/ says what the models say, keeps upstream's names, and stays within what `kubectl apply` can carry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provider.api import crd, kinds, served
from provider.capi import model

FOLDER = Path(__file__).parents[2] / "config" / "crd"
MADE = crd.files([*served.KINDS, *model.KINDS])
ANNOTATION_LIMIT = 262_144  # bytes; kubectl's client-side apply keeps the whole object in an annotation


def test_the_files_are_what_the_models_make() -> None:
    stale = [
        name for name, text in MADE.items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text
    ]
    assert not stale, "run `capi-kamaji crds --output config/crd`"


def test_no_file_is_left_of_a_kind_that_is_gone() -> None:
    assert {each.name for each in FOLDER.iterdir()} == set(MADE)


@pytest.mark.parametrize("kind", [*served.KINDS, *model.KINDS], ids=lambda each: each.__name__)
def test_a_crd_fits_the_annotation_of_client_side_apply(kind: Any) -> None:
    assert len(json.dumps(crd.manifest(kind))) < ANNOTATION_LIMIT


@pytest.mark.parametrize("kind", [*served.KINDS, *model.KINDS], ids=lambda each: each.__name__)
def test_a_kind_is_known_by_its_class_name(kind: Any) -> None:
    assert kind.DEFINITION.kind.kind == kind.__name__
    assert kinds.KNOWN[(kind.DEFINITION.kind.api_version, kind.__name__)] is kind.DEFINITION.kind


def test_names_and_short_names_are_upstreams() -> None:
    names = {name.removesuffix(".yaml") for name in MADE}
    assert names == {
        "tenantcontrolplanes.kamaji.clastix.io",
        "datastores.kamaji.clastix.io",
        "kubeconfiggenerators.kamaji.clastix.io",
        "datastorepools.x.kamaji.clastix.io",
        "tenantbackups.x.kamaji.clastix.io",
        "tenantbackupschedules.x.kamaji.clastix.io",
        "tenantrestores.x.kamaji.clastix.io",
        "tenantautoscalers.x.kamaji.clastix.io",
        "kamajicontrolplanes.controlplane.cluster.x-k8s.io",
        "kamajicontrolplanetemplates.controlplane.cluster.x-k8s.io",
    }
    short = {kind.__name__: kind.DEFINITION.short_names for kind in [*served.KINDS, *model.KINDS]}
    assert short["TenantControlPlane"] == ("tcp",)
    assert short["DataStore"] == ()
    assert short["KubeconfigGenerator"] == ("kc",)
    assert short["KamajiControlPlane"] == ("ktcp",)
    assert short["KamajiControlPlaneTemplate"] == ("ktcpt",)


@pytest.mark.parametrize("kind", model.KINDS, ids=lambda each: each.__name__)
def test_the_contract_labels_name_served_versions_and_the_newest_is_stored(kind: Any) -> None:
    made = crd.manifest(kind)
    assert made["metadata"]["labels"] == {
        "cluster.x-k8s.io/v1beta1": "v1alpha1",
        "cluster.x-k8s.io/v1beta2": "v1alpha2",
    }
    versions = made["spec"]["versions"]
    assert [each["name"] for each in versions if each["served"]] == ["v1alpha1", "v1alpha2"]
    assert [each["name"] for each in versions if each["storage"]] == ["v1alpha2"]


@pytest.mark.parametrize("kind", model.KINDS, ids=lambda each: each.__name__)
def test_both_versions_have_one_schema_so_that_none_has_to_be_converted_and_nothing_is_lost(kind: Any) -> None:
    made = crd.manifest(kind)
    older, newer = made["spec"]["versions"]
    assert made["spec"]["conversion"] == {"strategy": "None"}
    assert older["schema"] == newer["schema"]
    assert older.get("subresources") == newer.get("subresources")
    assert older["deprecated"] is True
    assert "v1alpha2" in older["deprecationWarning"]


def test_a_template_has_neither_status_nor_scale_and_asks_for_no_version() -> None:
    *_, version = crd.manifest(model.KamajiControlPlaneTemplate)["spec"]["versions"]
    assert "subresources" not in version
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    assert "status" not in properties
    hosted = properties["spec"]["properties"]["template"]["properties"]["spec"]
    assert not {"version", "replicas", "controlPlaneEndpoint", "rollout"} & set(hosted["properties"])
    assert "required" not in hosted
