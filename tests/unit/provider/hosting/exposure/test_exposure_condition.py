"""One condition says whether routes lead to the tenant, and what to do when they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provider.api import kinds
from provider.hosting.parts import PARTS
from provider.hosting.status import tenant as status
from provider.hosting.view import Seen
from tests.golden import world
from tests.unit.provider.hosting.exposure.gateways import NONE, PARENT, gateway, listener, route, said, seen, tenant
from tests.unit.provider.hosting.exposure.worlds import HOST, condition, first

OTHER = {**PARENT, "name": "other"}


def verdict(walked: world.Walked) -> tuple[str, str]:
    found = condition(walked)
    return found["status"], found["reason"]


def ready(walked: world.Walked) -> dict[str, Any]:
    """Ready, were all else well: pods run and what is inside the tenant is applied."""
    deployment = walked.view.seen.get(kinds.DEPLOYMENT, "demo", "tenants")
    assert deployment is not None
    counts = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
    seen_now = walked.view.seen.with_objects({**deployment, "status": counts})
    found = status.of(replace(walked.view, seen=seen_now), PARTS, walked.declined, {})
    return next(each for each in found["conditions"] if each["type"] == "Ready")


def test_without_gateway_api_it_says_what_to_install() -> None:
    walked = first(tenant(), gateways=None)
    assert verdict(walked) == ("False", "GatewayAPIMissing")
    message = condition(walked)["message"]
    assert "install Gateway API v1.5 or later" in message
    assert "gateway.networking.k8s.io/v1" in message
    assert "remove spec.controlPlane.gateway" in message
    assert "gateway" not in walked.said
    assert ready(walked)["reason"] == "GatewayAPIMissing"


def test_who_asks_for_no_route_needs_no_gateway_api() -> None:
    assert verdict(first(world.tenant(), gateways=None)) == ("True", "ExposureReady")


def test_without_a_parent_it_says_what_to_name() -> None:
    raw = tenant()
    raw["spec"]["controlPlane"]["gateway"]["parentRefs"] = []
    walked = first(raw, gateways=NONE)
    assert verdict(walked) == ("False", "ParentRefsMissing")
    assert "name the Gateway" in condition(walked)["message"]


def test_without_a_host_name_it_says_what_to_write() -> None:
    raw = tenant()
    raw["spec"]["controlPlane"]["gateway"].pop("hostname")
    walked = first(raw, gateways=NONE)
    assert verdict(walked) == ("False", "HostnameInvalid")
    assert "spec.controlPlane.gateway.hostname is missing" in condition(walked)["message"]


def test_while_no_controller_spoke_nobody_knows_and_the_tenant_is_ready_all_the_same() -> None:
    walked = first(tenant(), gateways=NONE)
    assert verdict(walked) == ("Unknown", "RouteNotJudged")
    assert "no gateway controller has said anything of TLSRoute tenants/demo" in condition(walked)["message"]
    assert ready(walked)["status"] == "True"


def test_a_refusal_is_repeated_in_the_controllers_words_and_the_tenant_is_not_ready() -> None:
    refusal = said(
        {**PARENT, "sectionName": "web"}, "False", "NotAllowedByListeners", "namespace tenants may not attach"
    )
    walked = first(tenant({**PARENT, "sectionName": "web"}), route(refusal), gateways=NONE)
    assert verdict(walked) == ("False", "RouteRefused")
    assert (
        "Gateway gateways/edge listener web: NotAllowedByListeners: namespace tenants may not attach"
        in (condition(walked)["message"])
    )
    assert ready(walked)["reason"] == "RouteRefused"


def test_a_controller_that_talks_without_end_is_cut_short() -> None:
    walked = first(tenant(), route(said(PARENT, "False", "Invalid", "x" * 32768)), gateways=NONE)
    assert len(condition(walked)["message"]) < 1024


def test_a_gateway_that_does_not_serve_is_named() -> None:
    for gateways in (seen(gateway(programmed="False")), NONE):
        walked = first(tenant(), route(said(PARENT)), gateways=gateways)
        assert verdict(walked) == ("False", "GatewayNotProgrammed")
        assert "Gateway gateways/edge" in condition(walked)["message"]


def test_a_route_that_is_taken_by_a_gateway_that_serves_is_ready() -> None:
    walked = first(tenant(), route(said(PARENT)), gateways=seen(gateway()))
    assert verdict(walked) == ("True", "ExposureReady")
    assert condition(walked)["message"] == ""


def test_one_parent_of_several_is_enough_and_the_others_are_named() -> None:
    answer = route(said(PARENT), said(OTHER, "False", "NoMatchingParent", "no such listener"))
    walked = first(tenant(PARENT, OTHER), answer, gateways=seen(gateway()))
    assert verdict(walked) == ("True", "ExposureReady")
    assert "Gateway gateways/other: NoMatchingParent: no such listener" in condition(walked)["message"]


def test_a_parent_that_is_no_gateway_is_believed() -> None:
    parent = {"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": "set", "namespace": "gateways"}
    assert verdict(first(tenant(parent), route(said(parent)), gateways=NONE)) == ("True", "ExposureReady")


def test_a_port_that_kubeconfigs_do_not_say_is_told_and_condemns_nothing() -> None:
    walked = first(tenant(), route(said(PARENT)), gateways=seen(gateway(listener(port=443))))
    assert verdict(walked) == ("True", "ExposureReady")
    assert f"Listeners are at https://{HOST}:443, kubeconfigs say https://{HOST}:6443" in condition(walked)["message"]


def test_the_tunnels_route_is_judged_with_the_other() -> None:
    tunnel = {**PARENT, "port": 8132, "sectionName": "konnectivity-server"}
    refusal = route(
        said(tunnel, "False", "NoMatchingParent", "no listener konnectivity-server"), name="demo-konnectivity"
    )
    walked = first(tenant(konnectivity=True), route(said(PARENT)), refusal, gateways=seen(gateway()))
    assert verdict(walked) == ("False", "RouteRefused")
    assert "TLSRoute tenants/demo-konnectivity" in condition(walked)["message"]


@pytest.mark.parametrize("gateways", [None, Seen()])
def test_a_status_that_stands_is_said_again_to_the_letter(gateways: Seen | None) -> None:
    walked = first(tenant(), gateways=gateways)
    before = status.of(walked.view, PARTS, walked.declined, {})
    again = status.of(replace(walked.view, raw={**walked.view.raw, "status": before}), PARTS, walked.declined, {})
    assert again == before
