"""What passes tell metrics of a KamajiControlPlane: as its status says, once of its birth, and nothing when it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from provider.capi import measures, status
from provider.capi.view import Place, View
from provider.manifest import condition
from provider.telemetry import table
from tests.unit.provider import shown
from tests.unit.provider.capi import views

KEY = ("ns", "kcp")
CREATED = {"creationTimestamp": condition.timestamp(views.NOW - timedelta(seconds=9))}


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    yield
    measures.gone(KEY)
    assert not told()


def told() -> dict[tuple[str, ...], float]:
    return shown.told(KEY, "controlplane")


def well(**known: Any) -> View:
    endpoint = {"controlPlaneEndpoint": {"host": "10.0.0.1", "port": 6443}}
    raw = views.raw(metadata=CREATED, **endpoint)
    return views.view(raw, **{"tcp": views.tenant(), "secrets": views.complete(), **known})


def births(phase: str) -> float:
    return REGISTRY.get_sample_value("kamaji_control_plane_birth_seconds_count", {"phase": phase}) or 0.0


def test_one_that_serves_is_available_and_tells_its_version_and_its_birth_once() -> None:
    before = {each: births(each) for each in table.CONTROL_PLANE_PHASES}
    view = well()
    wanted = status.of(view, {})
    measures.control_plane(view, wanted)
    measures.control_plane(replace(view, raw={**view.raw, "status": wanted}), wanted)
    found = told()
    assert found["kamaji_control_plane_available",] == 1
    assert found["kamaji_control_plane_paused",] == 0
    assert found["kamaji_control_plane_info", views.VERSION, "here"] == 1
    assert not [key for key in found if key[0] == table.CONTROL_PLANE_HINDRANCE.name]
    born = {key[1]: value for key, value in found.items() if key[0] == table.CONTROL_PLANE_BIRTH.name}
    held = {each["type"] for each in wanted["conditions"] if each["status"] == "True"} & before.keys()
    assert {"Available", "Initialized"} <= held
    assert born == dict.fromkeys(held, 9.0)
    assert {each: births(each) - count for each, count in before.items()} == {
        each: float(each in held) for each in before
    }


def test_one_that_is_not_available_tells_the_reason_that_stands_and_no_birth() -> None:
    view = well(tcp=views.tenant(ready="False"))
    measures.control_plane(view, status.of(view, {}))
    found = told()
    assert found["kamaji_control_plane_available",] == 0
    assert [key[1] for key in found if key[0] == table.CONTROL_PLANE_HINDRANCE.name] == ["Told"]
    assert not [key for key in found if key[0] == table.CONTROL_PLANE_BIRTH.name]


def test_one_that_is_paused_says_so_also_before_anything_else_is_known() -> None:
    view = well(cluster=views.cluster(paused=True))
    measures.control_plane(view, status.paused(view))
    found = told()
    assert (found["kamaji_control_plane_paused",], found["kamaji_control_plane_available",]) == (1, 0)
    assert not [key for key in found if key[0] == table.CONTROL_PLANE_HINDRANCE.name]


def test_one_that_is_hosted_in_another_management_cluster_says_so() -> None:
    view = well(place=Place(namespace="there", name="x", access="ns/access"))
    measures.control_plane(view, status.of(view, {}))
    assert told()["kamaji_control_plane_info", views.VERSION, "elsewhere"] == 1


def test_phases_of_a_birth_are_conditions_that_a_status_has() -> None:
    view = well()
    assert set(table.CONTROL_PLANE_PHASES) <= {each["type"] for each in status.of(view, {})["conditions"]}
