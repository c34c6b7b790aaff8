"""Each field by which one gets into a DataStore decides by itself what is read, and of no other field."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from provider.api import kinds
from provider.api.datastore import DataStore
from provider.hosting.storematerial import material, references
from provider.hosting.view import Seen
from provider.manifest import Manifest, meta

CERTIFICATES = (
    "tlsConfig.certificateAuthority.certificate",
    "tlsConfig.certificateAuthority.privateKey",
    "tlsConfig.clientCertificate.certificate",
    "tlsConfig.clientCertificate.privateKey",
)
ALL = (*CERTIFICATES, "basicAuth.username", "basicAuth.password")
WRITTEN = {
    "content": (base64.b64encode(b"here").decode(), "here"),
    "secretReference.name": ("other", "stores/other/key"),
    "secretReference.namespace": ("elsewhere", "elsewhere/pair/key"),
    "secretReference.keyPath": ("other", "stores/pair/other"),
}
"""What is written to a field, and what is read then."""


def secret(namespace: str, name: str) -> Manifest:
    data = {key: f"{namespace}/{name}/{key}".encode() for key in ("key", "other")}
    return meta.new(kinds.SECRET, name, namespace, data=meta.secret_data(data))


SECRETS = Seen().with_objects(
    *(secret(namespace, name) for namespace in ("stores", "elsewhere") for name in ("pair", "other"))
)


def put(node: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for each in parents:
        node = node.setdefault(each, {})
    node[last] = value


def store(driver: str, source: str = "", field: str = "", value: str = "") -> DataStore:
    """A DataStore that has everything out of one key of one Secret, with one field of one source changed."""
    spec: dict[str, Any] = {"driver": driver, "endpoints": ["store:2379"]}
    for each in CERTIFICATES if driver == "etcd" else ALL:
        put(spec, each, {"secretReference": {"name": "pair", "namespace": "stores", "keyPath": "key"}})
        if each == source:
            put(spec, f"{each}.{field}", value)
    return DataStore.parse(meta.new(kinds.DATA_STORE, "shared", spec=spec))


def read(datastore: DataStore) -> dict[str, str]:
    found = material(datastore, SECRETS)
    assert found.client is not None
    halves = [half.decode() for pair in (found.authority, found.client) for half in (pair.certificate, pair.key)]
    return dict(zip(ALL, [*halves, found.user, found.password], strict=True))


@pytest.mark.fields("DataStore", *(f"spec.{source}.{field}" for source in ALL for field in WRITTEN))
@pytest.mark.parametrize(
    ("driver", "source"), [*(("etcd", each) for each in CERTIFICATES), *(("PostgreSQL", each) for each in ALL)]
)
@pytest.mark.parametrize("field", WRITTEN)
def test_a_field_decides_what_is_read_of_its_own_source(driver: str, source: str, field: str) -> None:
    value, content = WRITTEN[field]
    before = read(store(driver))
    changed = store(driver, source, field, value)
    assert before[source] == "stores/pair/key"
    assert read(changed) == before | {source: content}
    assert len(list(references(changed))) == (
        2 if field in ("secretReference.name", "secretReference.namespace") else 1
    )
