"""kube-proxy inside a tenant: of the version that serves, in the mode asked for, rolled when its configuration changes."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import kinds, names
from provider.hosting.desired.addons import kubeproxy
from provider.hosting.view import Seen
from provider.manifest import Manifest, meta
from tests.golden.world import Walked, tenant, view, walk
from tests.unit.provider.hosting.desired.kubeadm.inside import document, said, walked


def installed(addon: dict[str, str] | None = None, **spec: Any) -> Walked:
    return walked(addons={"kubeProxy": addon or {}}, **spec)


def configuration(found: Walked) -> dict[str, Any]:
    return dict(document(found, "kube-proxy", "kube-proxy", "config.conf"))


def pod(found: Walked) -> Manifest:
    made: Manifest = said(found, "kube-proxy", kinds.DAEMON_SET, "kube-proxy")["spec"]["template"]
    return made


def image(found: Walked) -> str:
    return str(pod(found)["spec"]["containers"][0]["image"])


def test_without_its_block_nothing_is_said() -> None:
    assert walked().said["kube-proxy"] == []


def test_its_mode_is_nftables_unless_the_annotation_says_otherwise() -> None:
    assert configuration(installed())["mode"] == "nftables"
    raw = tenant(addons={"kubeProxy": {}}, annotations={names.ANNOTATION_KUBE_PROXY_MODE: "iptables"})
    assert configuration(walk(view(raw)))["mode"] == "iptables"


def test_it_finds_the_api_server_where_nodes_do_and_not_by_a_service() -> None:
    network = {"address": "nodes.example.com", "advertiseAddress": "192.0.2.10", "port": 31443}
    found = document(installed(networkProfile=network), "kube-proxy", "kube-proxy", "kubeconfig.conf")
    assert found["clusters"][0]["cluster"]["server"] == "https://192.0.2.10:31443"


@pytest.mark.keeps("better.dual-stack")
def test_it_knows_the_pods_of_both_families() -> None:
    network = {"podCidrs": ["10.244.0.0/16", "fd01::/56"]}
    assert configuration(installed(networkProfile=network))["clusterCIDR"] == "10.244.0.0/16,fd01::/56"


def test_another_configuration_rolls_it() -> None:
    one, other = installed(), installed(networkProfile={"podCidrs": ["10.1.0.0/16"]})
    assert pod(one)["metadata"] != pod(other)["metadata"]
    assert pod(one) == pod(installed())


@pytest.mark.parametrize(
    ("addon", "version", "wanted"),
    [
        ({}, "1.36.3", "registry.k8s.io/kube-proxy:v1.36.3"),
        ({}, "v1.36.3+v.1", "registry.k8s.io/kube-proxy:v1.36.3_v.1"),
        ({"imageTag": "x"}, "v1.36.3", "registry.k8s.io/kube-proxy:x"),
        ({"imageRepository": "r.example/k"}, "v1.36.3", "r.example/k/kube-proxy:v1.36.3"),
    ],
)
def test_the_image_is_the_versions_unless_the_user_says_otherwise(
    addon: dict[str, str], version: str, wanted: str
) -> None:
    assert image(installed(addon, kubernetes={"version": version})) == wanted


def test_while_an_upgrade_rolls_it_stays_at_the_version_that_every_api_server_has() -> None:
    """A kube-proxy that is newer than an API server it asks is outside of Kubernetes' skew."""

    def runs(name: str, version: str) -> Manifest:
        containers = [{"name": "kube-apiserver", "image": f"registry.k8s.io/kube-apiserver:{version}"}]
        return meta.new(kinds.POD, name, "tenants", spec={"containers": containers})

    old, new = runs("demo-1", "v1.35.4"), runs("demo-2", "v1.36.3")
    raw = tenant(addons={"kubeProxy": {}})
    raw["status"] = {"kubernetesResources": {"version": {"version": "v1.35.4"}}}
    assert image(walk(view(raw, old, new))) == "registry.k8s.io/kube-proxy:v1.35.4"
    assert image(walk(view(raw, new))) == "registry.k8s.io/kube-proxy:v1.36.3"


def test_a_joining_worker_may_read_its_configuration() -> None:
    role = said(installed(), "kube-proxy", kinds.ROLE, "kube-proxy")
    assert role["rules"][0]["resourceNames"] == ["kube-proxy"]
    binding = said(installed(), "kube-proxy", kinds.ROLE_BINDING, "kube-proxy")
    assert [each["name"] for each in binding["subjects"]] == [names.NODE_TOKEN_GROUP]


def test_it_runs_on_every_node() -> None:
    assert pod(installed())["spec"]["tolerations"] == [{"operator": "Exists"}]
    assert pod(installed())["spec"]["hostNetwork"] is True


def test_the_status_says_on_then_off_and_nothing_before() -> None:
    assert kubeproxy.report(view(tenant())) == {}
    assert kubeproxy.report(view(tenant()).inside(Seen())) == {}
    on = kubeproxy.report(installed().view)["addons"]["kubeProxy"]
    assert on["enabled"] is True
    raw = tenant()
    raw["status"] = {"addons": {"kubeProxy": on}}
    assert kubeproxy.report(view(raw).inside(Seen()))["addons"]["kubeProxy"]["enabled"] is False
