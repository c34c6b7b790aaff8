"""kubelet-config: as kubeadm makes it, with the user's patches applied one by one and the first bad one named."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api.verdict import Invalid
from tests.unit.provider.hosting.desired.kubeadm.inside import document, walked


def configuration(*patches: dict[str, Any], **spec: Any) -> Any:
    kubelet = {"configurationJSONPatches": list(patches)} | spec.pop("kubelet", {})
    found = walked(kubernetes={"kubelet": kubelet}, **spec)
    assert "kubeadm" not in found.declined, found.declined["kubeadm"]
    return document(found, "kubeadm", "kubelet-config", "kubelet")


def test_kubelets_are_closed_to_strangers_and_rotate_their_certificates() -> None:
    found = configuration()
    assert found["authentication"]["anonymous"] == {"enabled": False}
    assert found["authentication"]["x509"] == {"clientCAFile": "/etc/kubernetes/pki/ca.crt"}
    assert found["authorization"] == {"mode": "Webhook"}
    assert found["rotateCertificates"] is True


def test_dns_domain_and_cgroups_follow_the_spec() -> None:
    network = {"serviceCidrs": ["10.20.0.0/16", "fd00::/112"], "clusterDomain": "demo.local"}
    found = configuration(kubelet={"cgroupfs": "cgroupfs"}, networkProfile=network)
    assert found["clusterDNS"] == ["10.20.0.10", "fd00::a"]
    assert found["clusterDomain"] == "demo.local"
    assert found["cgroupDriver"] == "cgroupfs"
    assert configuration()["cgroupDriver"] == "systemd"


def test_patches_are_applied_in_order() -> None:
    found = configuration(
        {"op": "add", "path": "/maxPods", "value": 10},
        {"op": "replace", "path": "/maxPods", "value": 20},
        {"op": "copy", "from": "/maxPods", "path": "/podPidsLimit"},
        {"op": "remove", "path": "/healthzPort"},
        {"op": "add", "path": "/clusterDNS/-", "value": "192.0.2.53"},
        {"op": "add", "path": "/featureGates", "value": {"A": True}},
        {"op": "add", "path": "/staticPodPath", "value": None},
    )
    assert (found["maxPods"], found["podPidsLimit"]) == (20, 20)
    assert "healthzPort" not in found
    assert found["clusterDNS"] == ["10.96.0.10", "192.0.2.53"]
    assert found["featureGates"] == {"A": True}
    assert found["staticPodPath"] is None


@pytest.mark.keeps("better.kubelet-config")
def test_the_cgroup_driver_can_be_replaced_also_where_the_spec_says_none() -> None:
    assert configuration({"op": "replace", "path": "/cgroupDriver", "value": "cgroupfs"})["cgroupDriver"] == "cgroupfs"


def test_a_patch_changes_nobody_elses_configuration() -> None:
    configuration({"op": "add", "path": "/authentication/anonymous/enabled", "value": True})
    assert configuration()["authentication"]["anonymous"] == {"enabled": False}


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "replace", "path": "/absent", "value": 1},
        {"op": "remove", "path": "/absent"},
        {"op": "add", "path": "/absent/field", "value": 1},
        {"op": "add", "path": "no-slash", "value": 1},
        {"op": "move", "path": "/maxPods"},
        {"op": "test", "path": "/healthzPort", "value": 1},
        {"op": "add", "path": "/clusterDNS/9", "value": "x"},
        {"op": "add", "path": "/healthzPort/deeper/still", "value": 1},
        {"op": "add", "path": "", "value": [1]},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "", "value": None},
        {"op": "add", "path": "/a~2b", "value": 1},
    ],
    ids=lambda each: f"{each['op']} {each['path']!r}",
)
def test_a_patch_that_cannot_be_applied_is_named_by_its_place(patch: dict[str, Any]) -> None:
    good = {"op": "add", "path": "/maxPods", "value": 1}
    found = walked(kubernetes={"kubelet": {"configurationJSONPatches": [good, patch]}}).declined["kubeadm"]
    assert isinstance(found, Invalid)
    assert found.reason == "KubeletPatchFailed"
    where = f"spec.kubernetes.kubelet.configurationJSONPatches[1] ({patch['op']} {patch['path']})"
    assert found.message.startswith(where)
