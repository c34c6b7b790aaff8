from __future__ import annotations

import pytest
from pydantic import ValidationError

from provider.api.datastore import DataStore
from provider.api.kubelet import JSONPatch
from provider.api.meta import ObjectMeta
from provider.api.model import camel
from provider.api.network import NetworkProfile
from provider.api.tenantcontrolplane import TenantSpec
from provider.api.verdict import Invalid


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("core_dns", "coreDNS"),
        ("dns_service_ips", "dnsServiceIPs"),
        ("cert_sans", "certSANs"),
        ("front_proxy_ca", "frontProxyCA"),
        ("configuration_json_patches", "configurationJSONPatches"),
        ("api_server", "apiServer"),
        ("kubeadmconfig", "kubeadmconfig"),
    ],
)
def test_a_field_is_spelled_as_upstream_spells_it(ours: str, theirs: str) -> None:
    assert camel(ours) == theirs


def test_a_field_we_do_not_know_is_passed_over() -> None:
    assert ObjectMeta.parse({"name": "a", "managedFields": [{}]}).name == "a"


def test_what_was_read_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        ObjectMeta(name="a").name = "b"  # type: ignore[misc]


def test_no_two_objects_share_a_default() -> None:
    first, second = ObjectMeta(), ObjectMeta()
    first.labels["a"] = "b"
    assert second.labels == {}


def test_when_an_object_cannot_be_read_then_each_field_is_named_and_no_value() -> None:
    with pytest.raises(Invalid) as caught:
        DataStore.parse(
            {
                "spec": {
                    "driver": "Oracle",
                    "tlsConfig": {"certificateAuthority": {"certificate": {"content": ["s3cret"]}}},
                }
            }
        )
    assert caught.value.reason == "Malformed"
    for path in ("spec.driver", "spec.endpoints", "spec.tlsConfig.certificateAuthority.certificate.content"):
        assert path in caught.value.message
    assert "s3cret" not in caught.value.message
    assert "Oracle" not in caught.value.message


def test_a_json_patch_keeps_a_null_that_was_written_and_adds_none() -> None:
    assert JSONPatch.parse({"op": "add", "path": "/a", "value": None}).operation() == {
        "op": "add",
        "path": "/a",
        "value": None,
    }
    move = {"op": "move", "from": "/a", "path": "/b"}
    assert JSONPatch.parse(move).operation() == move


def test_an_object_is_written_as_it_was_read() -> None:
    written = {"podCidrs": ["10.1.0.0/16"], "certSANs": ["a.example"], "port": 7443}
    assert NetworkProfile.parse(written).manifest() == written


def test_a_block_that_is_null_says_what_an_absent_one_says_and_a_switch_that_is_null_is_off() -> None:
    spec = {
        "kubernetes": {"version": "v1.36.3", "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    }
    emptied = TenantSpec.parse({**spec, "writePermissions": None, "addons": None})
    assert emptied == TenantSpec.parse(spec)
    assert emptied.manifest() == TenantSpec.parse(spec).manifest()
    assert TenantSpec.parse({**spec, "addons": {"coreDNS": None}}).addons.core_dns is None
