"""Small words of Kubernetes: checksums as upstream counts them, skeletons, owners, Secrets' data, pieces of pods, roles."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api import kinds
from provider.manifest import Manifest, checksum, meta, pod, rbac

KEYS = st.text("abcdefghij.-", min_size=1, max_size=6)


def test_a_checksum_is_upstreams_md5_of_the_values_in_the_order_of_the_keys() -> None:
    assert checksum.of({"b": "2", "a": b"1"}) == hashlib.md5(b"12", usedforsecurity=False).hexdigest()
    assert checksum.of({}) == hashlib.md5(b"", usedforsecurity=False).hexdigest()


@given(st.dictionaries(KEYS, st.binary(max_size=8), max_size=4))
def test_a_checksum_does_not_depend_on_the_order_in_which_keys_came(data: dict[str, bytes]) -> None:
    assert checksum.of(dict(reversed(data.items()))) == checksum.of(data)


def test_a_skeleton_has_what_was_given_and_nothing_empty() -> None:
    assert meta.new(kinds.CLUSTER_ROLE, "r", rules=[]) == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "r"},
        "rules": [],
    }
    full = meta.new(kinds.SECRET, "s", "n", labels={"a": "1"}, annotations={"b": "2"}, type="Opaque")
    assert full["metadata"] == {"name": "s", "namespace": "n", "labels": {"a": "1"}, "annotations": {"b": "2"}}


def test_a_skeleton_does_not_share_what_it_was_given() -> None:
    labels = {"a": "1"}
    made = meta.new(kinds.SECRET, "s", labels=labels)
    labels["b"] = "2"
    assert meta.labels_of(made) == {"a": "1"}


def test_an_owner_is_the_controller_and_garbage_collection_waits_for_it() -> None:
    owner: Manifest = {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "o", "uid": "u", "namespace": "n"}}
    made = meta.new(kinds.SECRET, "s", "n")
    assert meta.owned(made, owner)["metadata"]["ownerReferences"] == [
        {"apiVersion": "g/v1", "kind": "K", "name": "o", "uid": "u", "controller": True, "blockOwnerDeletion": True}
    ]
    assert "ownerReferences" not in made["metadata"], "what was given stays as it is"


@given(st.dictionaries(KEYS, st.binary(max_size=12), max_size=4))
def test_what_a_secret_holds_is_read_back_as_it_was_written(data: dict[str, bytes]) -> None:
    written = meta.secret_data(data)
    assert list(written) == sorted(data)
    assert meta.decoded({"data": written}) == data


@pytest.mark.parametrize("secret", [None, {}, {"data": None}, {"data": {}}])
def test_a_secret_without_data_holds_nothing(secret: Manifest | None) -> None:
    assert meta.decoded(secret) == {}


def test_what_is_no_base64_is_left_out_and_the_rest_read() -> None:
    assert meta.decoded({"data": {"a": "YQ==", "b": "%%%", "c": "YQ"}}) == {"a": b"a"}


@pytest.mark.parametrize("manifest", [{}, {"metadata": {}}, {"metadata": {"labels": None, "annotations": None}}])
def test_labels_and_annotations_are_never_none(manifest: Manifest) -> None:
    assert meta.labels_of(manifest) == {}
    assert meta.annotations_of(manifest) == {}


def test_environment_comes_in_the_order_of_the_names() -> None:
    assert pod.environment({"B": "2", "A": "1"}) == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]


def test_a_mount_is_read_only_unless_said_otherwise() -> None:
    assert pod.mount("v", "/p") == {"name": "v", "mountPath": "/p", "readOnly": True}
    assert pod.mount("v", "/p", read_only=False) == {"name": "v", "mountPath": "/p"}


def test_volumes_name_each_key_they_need() -> None:
    items = [{"key": "a", "path": "a"}]
    secret, config = pod.secret_volume("v", "s", ["a"]), pod.config_map_volume("v", "c", ["a"])
    assert secret["secret"] == {"secretName": "s", "defaultMode": 0o644, "items": items}
    assert config["configMap"] == {"name": "c", "defaultMode": 0o644, "items": items}
    projected = pod.projected_secrets("v", [pod.projection("s", ["a"], "deep")])
    assert projected["projected"]["sources"] == [{"secret": {"name": "s", "items": [{"key": "a", "path": "deep/a"}]}}]


def test_a_probe_asks_over_the_scheme_it_was_given() -> None:
    made = pod.http_probe("/x", "named", "HTTP", {"periodSeconds": 3})
    assert made == {"httpGet": {"path": "/x", "port": "named", "scheme": "HTTP"}, "periodSeconds": 3}


def test_a_rule_names_resources_only_where_it_is_told_to() -> None:
    assert rbac.rule(["pods"], ["get"]) == {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    assert rbac.rule(["x"], ["get"], group="g", named=["n"])["resourceNames"] == ["n"]


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (rbac.group("g"), {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "g"}),
        (rbac.user("u"), {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "u"}),
        (rbac.service_account("s", "n"), {"kind": "ServiceAccount", "name": "s", "namespace": "n"}),
    ],
)
def test_subjects_are_written_as_the_api_wants_each(subject: Manifest, said: dict[str, Any]) -> None:
    assert subject == said


def test_a_binding_refers_to_the_role_of_its_name_or_to_the_one_given() -> None:
    subject = rbac.user("u")
    assert rbac.role_binding("r", "n", {}, subject)["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": "r",
    }
    bound = rbac.cluster_role_binding("b", "to", {"l": "1"}, subject, subject)
    assert (bound["roleRef"]["kind"], bound["roleRef"]["name"]) == ("ClusterRole", "to")
    assert bound["subjects"] == [subject, subject]
