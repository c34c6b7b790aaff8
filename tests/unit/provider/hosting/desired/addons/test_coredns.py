"""CoreDNS inside a tenant: installed by its block, removed with it, and its Corefile and replicas the user's from then on."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.hosting.desired.addons import coredns
from provider.hosting.view import Seen
from provider.manifest import Manifest, meta
from tests.golden.world import Walked, tenant, view
from tests.unit.provider.hosting.desired.kubeadm.inside import said, walked


def installed(*inside: Manifest, addon: dict[str, str] | None = None, **spec: Any) -> Walked:
    return walked(Seen().with_objects(*inside), addons={"coreDNS": addon or {}}, **spec)


def one(found: Walked, kind: Kind, name: str = "coredns") -> Manifest:
    return said(found, "coredns", kind, name)


def corefile(found: Walked) -> str:
    return str(one(found, kinds.CONFIG_MAP)["data"]["Corefile"])


def there(kind: Kind, **body: Any) -> Manifest:
    return meta.new(kind, "coredns", "kube-system", **body)


def test_without_its_block_nothing_is_said() -> None:
    assert walked().said["coredns"] == []


def test_each_object_can_be_found_and_pruned_as_ours() -> None:
    for each in installed().said["coredns"]:
        assert meta.labels_of(each)[names.LABEL_PROJECT] == names.PROJECT
        assert "ownerReferences" not in each["metadata"], "the tenant knows no TenantControlPlane"


def test_a_new_tenants_corefile_is_kubeadms_for_its_own_domain() -> None:
    found = corefile(installed(networkProfile={"clusterDomain": "demo.local"}))
    assert "kubernetes demo.local in-addr.arpa ip6.arpa {" in found
    assert "disable success demo.local" in found
    assert found.count("{") == found.count("}")
    assert "cluster.local" not in found


@pytest.mark.keeps("better.coredns")
def test_a_corefile_that_is_there_is_the_users() -> None:
    own = ".:53 {\n    forward . 192.0.2.53\n}\n"
    assert corefile(installed(there(kinds.CONFIG_MAP, data={"Corefile": own}))) == own


@pytest.mark.parametrize("data", [None, {}, {"Corefile": ""}, {"other": "x"}])
def test_a_corefile_that_somebody_emptied_is_kubeadms_again(data: dict[str, str] | None) -> None:
    assert corefile(installed(there(kinds.CONFIG_MAP, data=data))).startswith(".:53 {")


@pytest.mark.keeps("better.coredns")
@pytest.mark.parametrize("replicas", [0, 1, 5])
def test_replicas_that_are_there_are_the_users(replicas: int) -> None:
    live = there(kinds.DEPLOYMENT, spec={"replicas": replicas})
    assert one(installed(live), kinds.DEPLOYMENT)["spec"]["replicas"] == replicas
    assert one(installed(), kinds.DEPLOYMENT)["spec"]["replicas"] == coredns.REPLICAS


def image(found: Walked) -> str:
    return str(one(found, kinds.DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.mark.keeps("better.coredns")
@pytest.mark.parametrize(
    ("addon", "wanted"),
    [
        ({}, "registry.k8s.io/coredns/coredns:v1.14.2"),
        ({"imageTag": "v9"}, "registry.k8s.io/coredns/coredns:v9"),
        ({"imageRepository": "r.example/dns"}, "r.example/dns/coredns:v1.14.2"),
    ],
)
def test_the_image_is_the_minors_unless_the_user_says_otherwise(addon: dict[str, str], wanted: str) -> None:
    assert image(installed(addon=addon)) == wanted


@pytest.mark.keeps("better.coredns", "better.dns-cleared")
@pytest.mark.parametrize(
    ("network", "addresses"),
    [
        ({}, ["10.96.0.10"]),
        ({"dnsServiceIPs": ["10.96.0.53"]}, ["10.96.0.53"]),
        ({"dnsServiceIPs": ["10.96.0.53", "10.96.0.54"]}, ["10.96.0.53"]),
        ({"serviceCidrs": ["10.96.0.0/16", "fd00::/112"]}, ["10.96.0.10", "fd00::a"]),
        ({"serviceCidrs": ["fd00::/112"], "address": "2001:db8::1"}, ["fd00::a"]),
    ],
    ids=["the tenth", "the user's", "one a family", "two families", "the other family"],
)
def test_the_service_has_the_addresses_that_kubelets_are_given(network: dict[str, Any], addresses: list[str]) -> None:
    spec = one(installed(networkProfile=network), kinds.SERVICE, "kube-dns")["spec"]
    assert spec["clusterIP"] == addresses[0]
    assert spec.get("clusterIPs", [spec["clusterIP"]]) == addresses
    assert spec.get("ipFamilyPolicy") == ("RequireDualStack" if len(addresses) > 1 else None)


def test_the_service_finds_the_pods() -> None:
    found = installed()
    pods = one(found, kinds.DEPLOYMENT)["spec"]["template"]["metadata"]["labels"]
    assert one(found, kinds.SERVICE, "kube-dns")["spec"]["selector"].items() <= pods.items()


def test_the_status_says_on_then_off_and_nothing_before() -> None:
    nothing = view(tenant())
    assert coredns.report(nothing) == {}
    on = coredns.report(installed().view)["addons"]["coreDNS"]
    assert on["enabled"] is True
    raw = tenant()
    raw["status"] = {"addons": {"coreDNS": on}}
    off = coredns.report(view(raw).inside(Seen()))["addons"]["coreDNS"]
    assert off["enabled"] is False
    assert coredns.report(view(tenant()).inside(Seen())) == {}
