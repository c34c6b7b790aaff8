"""TLSRoutes: their objects, the names they carry into certificates and kubeconfigs, and what their Gateways give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api import kinds
from provider.hosting.desired import gateway as part
from tests.golden import world
from tests.unit.provider.hosting.exposure.gateways import (
    NONE,
    PARENT,
    gateway,
    listener,
    route,
    said,
    seen,
    tenant,
)
from tests.unit.provider.hosting.exposure.worlds import (
    HOST,
    certificate_hosts,
    cluster_info,
    first,
    next_pass,
    reported,
    servers,
)

OTHER = {**PARENT, "name": "other"}


def block(walked: world.Walked) -> dict[str, Any]:
    found = reported(walked)["kubernetesResources"]["gateway"]
    assert isinstance(found, dict)
    return found


def test_a_route_leads_to_the_service_by_host_name() -> None:
    extra = {"labels": {"team": "a"}, "annotations": {"note": "b"}}
    made = first(tenant(additionalMetadata=extra), gateways=NONE).one(kinds.TLS_ROUTE, "demo")
    assert made["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert made["metadata"]["labels"]["kamaji.clastix.io/component"] == "gateway_routes"
    assert made["metadata"]["labels"]["team"] == "a"
    assert made["metadata"]["annotations"] == {"note": "b"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == world.UID
    backend = {"group": "", "kind": "Service", "name": "demo", "port": 6443, "weight": 1}
    assert made["spec"] == {"hostnames": [HOST], "parentRefs": [PARENT], "rules": [{"backendRefs": [backend]}]}


def test_parents_are_as_the_user_wrote_them() -> None:
    parent = {"name": "edge", "port": 443, "sectionName": "cp-listener"}
    made = first(tenant(parent), gateways=NONE).one(kinds.TLS_ROUTE, "demo")
    defaults = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    assert made["spec"]["parentRefs"] == [{**defaults, **parent}]


def test_konnectivity_has_a_route_of_its_own_to_its_own_listener() -> None:
    parents = [{**PARENT, "sectionName": "kube-apiserver", "port": 6443}, {**PARENT, "sectionName": "second"}, OTHER]
    walked = first(tenant(*parents, konnectivity=True), gateways=NONE)
    made = walked.one(kinds.TLS_ROUTE, "demo-konnectivity")
    assert made["metadata"]["labels"]["kamaji.clastix.io/component"] == "konnectivity_gateway_routes"
    tunnel = {"port": 8132, "sectionName": "konnectivity-server"}
    assert made["spec"]["parentRefs"] == [{**PARENT, **tunnel}, {**OTHER, **tunnel}]
    assert made["spec"]["rules"][0]["backendRefs"][0]["port"] == 8132
    assert made["spec"]["hostnames"] == [HOST]


def test_without_konnectivity_there_is_one_route() -> None:
    assert [world.name_of(each) for each in first(tenant(), gateways=NONE).said["gateway"]] == ["demo"]


def test_its_host_name_is_what_clients_and_workers_are_told_also_when_it_changes() -> None:
    before = first(tenant(), gateways=NONE)
    assert servers(before)["admin.conf"] == f"https://{HOST}:6443"
    assert {HOST, "10.96.7.7"} <= certificate_hosts(before)
    walked = next_pass(before, tenant(hostname="new.example.com"))
    assert servers(walked)["admin.conf"] == "https://new.example.com:6443"
    assert "new.example.com" in certificate_hosts(walked)
    assert "server: https://new.example.com:6443" in cluster_info(walked)
    assert reported(walked)["controlPlaneEndpoint"] == "10.96.7.7:6443"


def test_clients_dial_the_listeners_port_where_the_parents_name_it() -> None:
    assert servers(first(tenant({**PARENT, "port": 443}), gateways=NONE))["admin.conf"] == f"https://{HOST}:443"


def test_a_wildcard_is_in_the_certificate_and_dialled_by_nobody() -> None:
    walked = first(tenant(hostname="*.example.com"), gateways=NONE)
    assert "*.example.com" in certificate_hosts(walked)
    assert servers(walked)["admin.conf"] == "https://10.96.7.7:6443"


def test_without_the_block_nothing_of_it_is_left() -> None:
    before = first(tenant(), route(said(PARENT)), gateways=seen(gateway()))
    assert block(before)["routeRef"] == {"name": "demo"}
    walked = next_pass(before, world.tenant())
    assert walked.said["gateway"] == []
    assert "gateway" not in reported(walked)["kubernetesResources"]


def test_an_access_point_is_a_listener_of_a_gateway_that_took_the_route_and_serves() -> None:
    walked = first(tenant(), route(said(PARENT)), gateways=seen(gateway()))
    assert block(walked)["accessPoints"] == [{"type": "Hostname", "value": f"https://{HOST}:6443", "port": 6443}]
    assert block(walked)["parents"] == [said(PARENT)]


def test_a_route_of_which_nobody_spoke_has_no_parents_in_status() -> None:
    assert block(first(tenant(), gateways=NONE)) == {"routeRef": {"name": "demo"}, "parents": [], "accessPoints": []}


@pytest.mark.parametrize(
    ("parent", "listeners", "ports"),
    [
        ({"sectionName": "two"}, [listener("one", 1), listener("two", 2)], [2]),
        ({"port": 1}, [listener("one", 1), listener("two", 2)], [1]),
        ({"sectionName": "two", "port": 1}, [listener("one", 1), listener("two", 2)], []),
        ({}, [listener("one", 1), listener("two", 2)], [1, 2]),
        ({}, [listener("one", 1), listener("konnectivity-server", 8132)], [1]),
        ({}, [listener("one", 1, protocol="HTTPS"), listener("two", 2)], [2]),
        ({}, [listener("one", 1, hostname="*.example.com"), listener("two", 2, hostname="*.example.org")], [1]),
        ({}, [listener("one", 1, hostname=HOST), listener("two", 1, hostname="*.com")], [1]),
        ({}, [], []),
    ],
)
def test_access_points_are_the_listeners_on_which_the_route_hangs(
    parent: dict[str, Any], listeners: list[dict[str, Any]], ports: list[int]
) -> None:
    full = {**PARENT, **parent}
    edge = gateway()
    edge["spec"]["listeners"] = listeners
    walked = first(tenant(full), route(said(full)), gateways=seen(edge))
    assert [each["port"] for each in block(walked)["accessPoints"]] == ports


def test_each_of_several_gateways_gives_its_own() -> None:
    gateways = seen(gateway(), gateway(listener(port=443), name="other"))
    walked = first(tenant(PARENT, OTHER), route(said(PARENT), said(OTHER)), gateways=gateways)
    assert [each["port"] for each in block(walked)["accessPoints"]] == [6443, 443]


@pytest.mark.parametrize(
    "answer",
    [
        route(),
        route(said(PARENT, "False", "NotAllowedByListeners")),
        route(said({**PARENT, "name": "never-named"})),
        route({"controllerName": "example.com/x", "parentRef": PARENT, "conditions": []}),
    ],
)
def test_who_did_not_take_the_route_gives_nothing(answer: dict[str, Any]) -> None:
    assert block(first(tenant(), answer, gateways=seen(gateway())))["accessPoints"] == []


def test_a_gateway_that_does_not_serve_gives_nothing() -> None:
    walked = first(tenant(), route(said(PARENT)), gateways=seen(gateway(programmed="False")))
    assert block(walked)["accessPoints"] == []


def test_what_was_said_of_an_earlier_route_counts_no_more() -> None:
    stale = said(PARENT)
    stale["conditions"][0]["observedGeneration"] = 1
    answer = route(stale)
    answer["metadata"]["generation"] = 2
    assert block(first(tenant(), answer, gateways=seen(gateway())))["accessPoints"] == []


def test_a_parent_of_the_tenants_own_namespace_need_not_name_it() -> None:
    parent = {"group": PARENT["group"], "kind": "Gateway", "name": "edge"}
    edge = gateway()
    edge["metadata"]["namespace"] = "tenants"
    walked = first(tenant({"name": "edge"}), route(said({**parent, "namespace": "tenants"})), gateways=seen(edge))
    assert [each["port"] for each in block(walked)["accessPoints"]] == [6443]


def test_the_tunnels_route_is_told_once_its_addon_tells_of_itself() -> None:
    tunnel = {**PARENT, "port": 8132, "sectionName": "konnectivity-server"}
    answers = [route(said(PARENT)), route(said(tunnel), name="demo-konnectivity")]
    gateways = seen(gateway(listener(), listener("konnectivity-server", 8132)))
    raw = tenant(konnectivity=True)
    before = first(raw, *answers, gateways=gateways)
    assert "addons" not in part.report(before.view)
    status = {**reported(before), "addons": {"konnectivity": {"enabled": True}}}
    walked = world.walk(world.view({**raw, "status": status}, gateways=gateways), answers)
    found = part.report(walked.view)["addons"]["konnectivity"]["gateway"]
    assert found["routeRef"] == {"name": "demo-konnectivity"}
    assert found["accessPoints"] == [{"type": "Hostname", "value": f"https://{HOST}:8132", "port": 8132}]


labels = st.sampled_from(["a", "b", "c"])
hosts = st.builds(
    lambda wild, parts: ("*." if wild else "") + ".".join(parts),
    st.booleans(),
    st.lists(labels, min_size=1, max_size=3),
)


@given(hosts, hosts, st.lists(labels, min_size=1, max_size=3))
def test_two_host_names_meet_exactly_when_some_name_fits_both(one: str, other: str, more: list[str]) -> None:
    def fits(name: str, host: str) -> bool:
        return name == host if not host.startswith("*.") else name.endswith(host[1:])

    candidates = {each.removeprefix("*.") for each in (one, other)}
    candidates |= {f"{'.'.join(more)}.{each}" for each in set(candidates)}
    expected = any(fits(name, one) and fits(name, other) for name in candidates)
    assert part._meet(one, other) is expected
