from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid
from provider.capi.desired import tenantcontrolplane
from provider.capi.model.controlplane import ControlPlaneSpec
from provider.capi.view import Infrastructure, View
from provider.manifest import meta
from tests.unit.provider.capi import fields, views

MARK = tenantcontrolplane.ANNOTATION_ROLLED_OUT
PAST, PRESENT, FUTURE = "2026-11-20T00:00:00Z", "2026-11-24T12:00:00Z", "2026-12-01T00:00:00Z"


def spec(view: View) -> dict[str, Any]:
    found: dict[str, Any] = tenantcontrolplane.build(view)["spec"]
    return found


def test_every_field_of_the_model_has_its_place() -> None:
    assert set(fields.leaves(ControlPlaneSpec)) == set(fields.MAPPED) | set(fields.NOT_MAPPED)


@pytest.mark.fields("KamajiControlPlane", *fields.said())
@pytest.mark.parametrize("path", fields.MAPPED)
def test_a_field_arrives_where_the_hosting_room_looks_for_it(path: str) -> None:
    kcp = views.raw()
    for each in (*fields.REQUIRED_BESIDE.get(path.rpartition(".")[0], ()), path):
        fields.put(kcp["spec"], each, fields.MAPPED[each].value)
    assert fields.at(spec(views.view(kcp)), fields.MAPPED[path].to) == fields.MAPPED[path].value


@pytest.mark.fields("KamajiControlPlane", "spec.network.serviceType")
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_the_service_is_of_the_type_that_the_user_says(kind: str) -> None:
    assert spec(views.view(views.raw(network={"serviceType": kind})))["controlPlane"]["service"] == {
        "serviceType": kind
    }


def test_the_hosting_room_knows_every_field_that_it_is_told() -> None:
    built = tenantcontrolplane.build(views.view(views.raw(**fields.everything())))
    assert TenantControlPlane.parse(built).manifest()["spec"] == built["spec"]


def test_what_nobody_said_is_not_written() -> None:
    defaults = {"cgroupfs": "systemd"}  # the API server puts these into the KamajiControlPlane
    assert spec(views.view(views.raw(kubelet=defaults))) == {
        "kubernetes": {"version": "v1.36.3", "kubelet": defaults},
        "controlPlane": {
            "service": {"serviceType": "LoadBalancer"},
            "deployment": {"replicas": 2, "registrySettings": {"registry": "registry.k8s.io"}},
        },
        "networkProfile": {},
        "addons": {},
    }


def test_a_version_without_its_v_gets_it() -> None:
    assert spec(views.view(views.raw(version="1.36.3")))["kubernetes"]["version"] == "v1.36.3"


def test_zero_replicas_are_a_wish_as_any_other() -> None:
    assert spec(views.view(views.raw(replicas=0)))["controlPlane"]["deployment"]["replicas"] == 0


@pytest.mark.fields("KamajiControlPlane", "spec.addons.coreDNS", "spec.addons.kubeProxy")
def test_an_addon_is_switched_on_by_its_empty_block() -> None:
    assert spec(views.view(views.raw(addons={"coreDNS": {}, "kubeProxy": {}})))["addons"] == {
        "coreDNS": {},
        "kubeProxy": {},
    }


def test_dns_addresses_of_the_network_win_over_those_of_the_addon() -> None:
    addons, network = {"coreDNS": {"dnsServiceIPs": ["10.96.0.11"]}}, {"dnsServiceIPs": ["10.96.0.12"]}
    assert spec(views.view(views.raw(addons=addons, network=network)))["networkProfile"]["dnsServiceIPs"] == [
        "10.96.0.12"
    ]


def test_ranges_port_and_domain_are_the_clusters() -> None:
    network = {
        "apiServerPort": 7443,
        "serviceDomain": "c.example",
        "services": {"cidrBlocks": ["fd02::/112", "10.2.0.0/16"]},
        "pods": {"cidrBlocks": ["10.1.0.0/16"]},
    }
    assert spec(views.view(cluster=views.cluster(clusterNetwork=network)))["networkProfile"] == {
        "port": 7443,
        "clusterDomain": "c.example",
        "serviceCidrs": ["fd02::/112", "10.2.0.0/16"],
        "podCidrs": ["10.1.0.0/16"],
    }


def test_the_tenant_carries_the_clusters_label_and_its_owner() -> None:
    built = tenantcontrolplane.build(views.view())["metadata"]
    assert (built["name"], built["namespace"]) == ("kcp", "ns")
    assert built["labels"] == {"cluster.x-k8s.io/cluster-name": "c"}
    assert built["ownerReferences"] == [
        {
            "apiVersion": "controlplane.cluster.x-k8s.io/v1alpha2",
            "kind": "KamajiControlPlane",
            "name": "kcp",
            "uid": views.UID,
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_annotations_for_the_hosting_room_are_handed_down_and_no_others() -> None:
    handed = {
        "kamaji.clastix.io/kubeconfig-secret-key": "super-admin.conf",
        "kamaji.clastix.io/paused": "",
        "x.kamaji.clastix.io/gogc": "50",
    }
    others = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "cluster.x-k8s.io/cloned-from-name": "template",
        "notkamaji.clastix.io/paused": "",
    }
    kcp = views.raw(metadata={"annotations": handed | others})
    assert tenantcontrolplane.build(views.view(kcp))["metadata"]["annotations"] == handed


def test_a_name_that_is_taken_is_said_and_nothing_is_asked() -> None:
    with pytest.raises(Invalid) as error:
        tenantcontrolplane.build(views.view(taken="KamajiControlPlane kcp (old)"))
    assert error.value.reason == "NameTaken"
    assert "TenantControlPlane ns/kcp belongs to KamajiControlPlane kcp (old)" in error.value.message


# --- where it is reached


def endpoint(host: str, port: int = 6443) -> dict[str, Any]:
    return {"controlPlaneEndpoint": {"host": host, "port": port}}


@pytest.mark.parametrize("host", ["10.0.0.9", "fd00::9", "api.c.example"])
def test_an_endpoint_that_the_cluster_has_from_the_start_is_where_the_tenant_is_asked_to_be(host: str) -> None:
    said = spec(views.view(cluster=views.cluster(**endpoint(host, 7443))))["networkProfile"]
    assert said == {"address": host, "port": 7443}


def test_the_user_who_says_address_and_port_himself_is_followed() -> None:
    cluster = views.cluster(**endpoint("10.0.0.9", 7443), clusterNetwork={"apiServerPort": 8443})
    said = spec(views.view(views.raw(network={"serviceAddress": "10.0.0.8"}), cluster=cluster))["networkProfile"]
    assert said == {"address": "10.0.0.8", "port": 8443}


def test_an_endpoint_of_the_infrastructure_counts_before_the_cluster_has_it() -> None:
    view = views.view().seeing(Infrastructure(object={}, endpoint=("10.0.0.9", 20000)))
    assert spec(view)["networkProfile"] == {"address": "10.0.0.9", "port": 20000}


def test_an_endpoint_that_was_followed_stays_followed() -> None:
    tcp = views.tenant(endpoint="10.0.0.9:7443", spec={"networkProfile": {"address": "10.0.0.9", "port": 7443}})
    view = views.view(
        views.raw(**endpoint("10.0.0.9", 7443)), cluster=views.cluster(**endpoint("10.0.0.9", 7443)), tcp=tcp
    )
    assert spec(view)["networkProfile"] == {"address": "10.0.0.9", "port": 7443}


@pytest.mark.fields("KamajiControlPlane", "spec.controlPlaneEndpoint.host", "spec.controlPlaneEndpoint.port")
def test_an_endpoint_that_the_cluster_has_from_us_is_no_wish() -> None:
    known, cluster = views.raw(**endpoint("10.0.0.1")), views.cluster(**endpoint("10.0.0.1"))
    assert spec(views.view(known, cluster=cluster, tcp=views.tenant()))["networkProfile"] == {}
    assert spec(views.view(known, cluster=cluster))["networkProfile"] == {}  # moved here, not born yet


def test_when_the_address_changes_later_the_certificate_still_covers_what_workers_dial() -> None:
    view = views.view(
        views.raw(**endpoint("10.0.0.2"), network={"certSANs": ["x.example"]}),
        cluster=views.cluster(**endpoint("10.0.0.1")),
        tcp=views.tenant(endpoint="10.0.0.2:6443"),
    )
    assert spec(view)["networkProfile"] == {"certSANs": ["x.example", "10.0.0.1"]}


@pytest.mark.parametrize("host", ["https://api.example", "a b", "UPPER.example", "api.example:6443", "x" * 254])
def test_an_endpoint_that_is_no_host_is_neither_followed_nor_certified(host: str) -> None:
    cluster = views.cluster(**endpoint(host))
    assert spec(views.view(cluster=cluster))["networkProfile"] == {}
    assert spec(views.view(cluster=cluster, tcp=views.tenant()))["networkProfile"] == {}


def test_half_an_endpoint_is_none() -> None:
    assert spec(views.view(cluster=views.cluster(controlPlaneEndpoint={"port": 20000})))["networkProfile"] == {}


# --- restarts at a given time


def mark(after: str | None, stands: str | None = None, said: Any = None) -> Any:
    """The annotation on the pods, with this `rollout.after` and with what the pods have already."""
    rollout = {"rollout": {"after": after}} if after else {}
    pods = {"podAdditionalMetadata": {"annotations": {MARK: stands}}}
    tcp = views.tenant(spec={"controlPlane": {"deployment": pods}}) if stands else None
    view = views.view(views.raw(**rollout, deployment={"podAdditionalMetadata": said or {}}), tcp=tcp)
    metadata = spec(view)["controlPlane"]["deployment"].get("podAdditionalMetadata") or {}
    return metadata.get("annotations", {}).get(MARK)


@pytest.mark.fields("KamajiControlPlane", "spec.rollout.after")
@pytest.mark.parametrize(("after", "marked"), [(None, False), (FUTURE, False), (PRESENT, True), (PAST, True)])
def test_pods_are_made_anew_once_the_time_has_passed(after: str | None, marked: bool) -> None:
    assert (mark(after) is not None) is marked


@pytest.mark.parametrize("after", [None, FUTURE, PAST, "2026-11-19T00:00:00Z", "2026-11-20T01:00:00+01:00"])
def test_what_was_done_is_not_undone_by_what_the_field_says_later(after: str | None) -> None:
    stands = "2026-11-20T00:00:00+00:00"
    assert mark(after, stands) == stands


def test_a_later_time_that_has_passed_makes_them_anew_again() -> None:
    assert mark(PRESENT, "2026-11-20T00:00:00+00:00") == "2026-11-24T12:00:00+00:00"


def test_the_users_own_annotations_stay_beside_it() -> None:
    view = views.view(
        views.raw(rollout={"after": PAST}, deployment={"podAdditionalMetadata": {"annotations": {"a": "b"}}})
    )
    annotations = spec(view)["controlPlane"]["deployment"]["podAdditionalMetadata"]["annotations"]
    assert annotations == {"a": "b", MARK: "2026-11-20T00:00:00+00:00"}


@pytest.mark.parametrize("after", ["2026-11-20t00:00:00z", "2026-11-20T00:00:00.123456789Z"])
def test_every_spelling_of_a_time_is_read(after: str) -> None:
    due = tenantcontrolplane.rollout_due(views.view(views.raw(rollout={"after": after})))
    assert due is not None
    assert views.NOW - due < timedelta(days=5)


@pytest.mark.parametrize("after", ["2026-11-20T23:59:60Z", "2026-11-20T00:00:00", "soon"])
def test_what_is_no_time_is_refused(after: str) -> None:
    with pytest.raises(Invalid, match=r"spec\.rollout\.after"):
        tenantcontrolplane.build(views.view(views.raw(rollout={"after": after})))


def test_the_tenants_name_and_owner_do_not_depend_on_the_clusters_name() -> None:
    built = tenantcontrolplane.build(views.view(cluster=views.cluster("another")))
    assert built["metadata"]["name"] == "kcp"
    assert meta.labels_of(built) == {"cluster.x-k8s.io/cluster-name": "another"}
