"""An Ingress: its object, and its host name in certificate, kubeconfigs and cluster-info, also when it changes."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import kinds
from provider.manifest import Manifest, meta
from tests.golden import world
from tests.unit.provider.hosting.exposure.worlds import (
    HOST,
    certificate_hosts,
    cluster_info,
    condition,
    first,
    next_pass,
    reported,
    servers,
)


def tenant(hostname: str | None = HOST, **ingress: Any) -> Manifest:
    named = {"hostname": hostname} if hostname is not None else {}
    return world.tenant(controlPlane={"ingress": {**named, **ingress}}, networkProfile={"port": 7443})


def test_it_leads_to_the_service_by_its_host_name() -> None:
    extra = {"labels": {"team": "a"}, "annotations": {"nginx.ingress.kubernetes.io/ssl-passthrough": "true"}}
    made = first(tenant(ingressClassName="nginx", additionalMetadata=extra)).one(kinds.INGRESS, "demo")
    assert made["metadata"]["labels"]["kamaji.clastix.io/component"] == "ingress"
    assert made["metadata"]["labels"]["team"] == "a"
    assert made["metadata"]["annotations"] == extra["annotations"]
    assert made["metadata"]["ownerReferences"][0]["uid"] == world.UID
    backend = {"service": {"name": "demo", "port": {"number": 7443}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    assert made["spec"] == {"ingressClassName": "nginx", "rules": [{"host": HOST, "http": {"paths": [path]}}]}


def test_labels_of_ours_cannot_be_taken_over() -> None:
    extra = {"labels": {"kamaji.clastix.io/name": "other"}}
    made = first(tenant(additionalMetadata=extra)).one(kinds.INGRESS, "demo")
    assert made["metadata"]["labels"]["kamaji.clastix.io/name"] == "demo"


def test_without_a_class_the_clusters_default_is_left_to_choose() -> None:
    assert "ingressClassName" not in first(tenant()).one(kinds.INGRESS, "demo")["spec"]


def test_its_host_name_is_what_clients_and_workers_are_told() -> None:
    walked = first(tenant())
    assert servers(walked) == {
        "admin.conf": f"https://{HOST}:7443",
        "super-admin.conf": f"https://{HOST}:7443",
        "admin.svc": "https://demo.tenants.svc:7443",
        "super-admin.svc": "https://demo.tenants.svc:7443",
    }
    assert {HOST, "10.96.7.7"} <= certificate_hosts(walked)
    assert f"server: https://{HOST}:7443" in cluster_info(walked)
    assert reported(walked)["controlPlaneEndpoint"] == "10.96.7.7:7443"
    assert "--advertise-address=10.96.7.7" in walked.args("kube-apiserver")


def test_a_port_after_the_name_is_dialled_and_is_no_part_of_the_rule() -> None:
    walked = first(tenant(f"{HOST}:443"))
    assert walked.one(kinds.INGRESS, "demo")["spec"]["rules"][0]["host"] == HOST
    assert servers(walked)["admin.conf"] == f"https://{HOST}:443"
    assert HOST in certificate_hosts(walked)


def test_another_host_name_takes_the_place_of_the_first_everywhere() -> None:
    walked = next_pass(first(tenant()), tenant("new.example.com"))
    assert servers(walked)["admin.conf"] == "https://new.example.com:7443"
    assert "new.example.com" in certificate_hosts(walked)
    assert HOST not in certificate_hosts(walked)
    assert "server: https://new.example.com:7443" in cluster_info(walked)


def test_without_the_block_nothing_of_it_is_left() -> None:
    before = first(tenant(), meta.new(kinds.INGRESS, "demo", "tenants", status={"loadBalancer": {}}))
    assert reported(before)["kubernetesResources"]["ingress"] == {"name": "demo", "namespace": "tenants"}
    walked = next_pass(before, world.tenant(networkProfile={"port": 7443}))
    assert walked.said["ingress"] == []
    assert "ingress" not in reported(walked)["kubernetesResources"]
    assert HOST not in certificate_hosts(walked)
    assert servers(walked)["admin.conf"] == "https://10.96.7.7:7443"


def test_what_its_controller_says_stands_in_status() -> None:
    balancer = {"ingress": [{"ip": "192.0.2.7"}]}
    walked = first(tenant(), meta.new(kinds.INGRESS, "demo", "tenants", status={"loadBalancer": balancer}))
    block = {"name": "demo", "namespace": "tenants", "loadBalancer": balancer}
    assert reported(walked)["kubernetesResources"]["ingress"] == block
    silent = next_pass(walked, tenant(), meta.new(kinds.INGRESS, "demo", "tenants", status={"loadBalancer": {}}))
    assert reported(silent)["kubernetesResources"]["ingress"] == {"name": "demo", "namespace": "tenants"}


def test_a_wildcard_is_in_the_certificate_and_dialled_by_nobody() -> None:
    walked = first(tenant("*.example.com"))
    assert walked.one(kinds.INGRESS, "demo")["spec"]["rules"][0]["host"] == "*.example.com"
    assert "*.example.com" in certificate_hosts(walked)
    assert servers(walked)["admin.conf"] == "https://10.96.7.7:7443"


@pytest.mark.parametrize(("hostname", "word"), [(None, "is missing"), ("192.0.2.7", "'192.0.2.7' is no DNS name")])
def test_without_a_name_that_a_route_can_have_a_condition_says_what_to_write(hostname: str | None, word: str) -> None:
    walked = first(tenant(hostname))
    found = condition(walked)
    assert (found["status"], found["reason"]) == ("False", "HostnameInvalid")
    assert f"spec.controlPlane.ingress.hostname {word}" in found["message"]
    assert "such as demo.example.com" in found["message"]
    assert servers(walked)["admin.conf"] == "https://10.96.7.7:7443"


def test_an_ingress_needs_no_word_of_its_controller() -> None:
    assert condition(first(tenant()))["status"] == "True"
    assert condition(first(world.tenant()))["status"] == "True"
