from __future__ import annotations

from provider.api.datastore import DataStore
from provider.api.datastorepool import DataStorePool
from provider.api.kubeconfiggenerator import KubeconfigGenerator


def test_a_store_is_read_with_its_references() -> None:
    secret = {"secretReference": {"name": "certs", "namespace": "kamaji-system", "keyPath": "ca.crt"}}
    store = DataStore.parse(
        {
            "metadata": {"name": "shared"},
            "spec": {
                "driver": "etcd",
                "endpoints": ["a:2379", "b:2379"],
                "tlsConfig": {
                    "certificateAuthority": {"certificate": secret, "privateKey": {"content": "a2V5"}},
                    "clientCertificate": {"certificate": secret, "privateKey": secret},
                },
            },
        }
    )
    assert store.spec.endpoints == ("a:2379", "b:2379")
    assert store.spec.tls_config is not None
    authority = store.spec.tls_config.certificate_authority
    assert authority.certificate.secret_reference is not None
    assert authority.certificate.secret_reference.key_path == "ca.crt"
    assert authority.private_key is not None
    assert authority.private_key.content == "a2V5"
    assert not store.status.ready


def test_a_pool_that_says_nothing_is_one_member_of_a_safe_etcd() -> None:
    spec = DataStorePool.parse({"metadata": {"name": "default"}}).spec
    assert (spec.driver, spec.members, spec.version) == ("etcd", 1, "3.6.16")
    assert (spec.storage.size, spec.storage.storage_class_name) == ("8Gi", None)


def test_a_generator_takes_the_inner_address_unless_said_otherwise() -> None:
    spec = KubeconfigGenerator.parse({"spec": {"user": {"stringValue": "ops"}}}).spec
    assert spec.control_plane_endpoint_from == "admin.svc"
    assert spec.groups == ()
