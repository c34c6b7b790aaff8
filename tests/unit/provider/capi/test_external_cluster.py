"""What a control plane in another management cluster asks for there, and how it is known. The rest: tests/conformance, A19."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api import names
from provider.capi.desired import secrets, tenantcontrolplane
from provider.capi.view import Place, View, has_arrived, is_ours, shared
from provider.manifest import meta
from tests.unit.provider.capi import views

THERE = Place(namespace="tenants", name="kcp-kcp-0123456789abcdef", access="ns/far")
NAMES = st.from_regex(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?", fullmatch=True)


def elsewhere(**seen: object) -> View:
    return views.view(place=THERE, **seen)


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True), NAMES)
def test_the_name_there_is_one_that_a_service_can_have(namespace: str, name: str) -> None:
    found = names.hosted_elsewhere(namespace, name)
    assert len(found) <= 63
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert found == names.hosted_elsewhere(namespace, name)
    assert found != names.hosted_elsewhere(f"{namespace}x", name)


def test_it_is_asked_for_under_its_name_there_and_known_by_labels_for_want_of_an_owner() -> None:
    asked = tenantcontrolplane.build(elsewhere())
    assert (asked["metadata"]["namespace"], asked["metadata"]["name"]) == (THERE.namespace, THERE.name)
    assert "ownerReferences" not in asked["metadata"]
    assert meta.labels_of(asked) == {
        names.LABEL_CLUSTER_NAME: "c",
        names.LABEL_CONTROL_PLANE: names.control_plane_digest("ns", "kcp"),
        names.LABEL_CONTROL_PLANE_UID: views.UID,
    }
    assert is_ours(views.raw(), asked)
    assert not is_ours(views.raw(metadata={"uid": "another"}), asked)


def test_a_control_plane_of_this_cluster_never_takes_what_is_hosted_here_for_another_cluster() -> None:
    asked = tenantcontrolplane.build(elsewhere())
    there = {**asked, "metadata": {**asked["metadata"], "labels": {**meta.labels_of(asked), names.LABEL_PART: "x"}}}
    native = views.raw(name=THERE.name, metadata={"uid": "native"})
    assert not is_ours(native, there)


@pytest.mark.parametrize(("key", "arrived"), [(b"key", True), (b"another", False), (b"", False)])
def test_one_that_was_moved_is_known_by_its_authoritys_key(key: bytes, arrived: bool) -> None:
    authorities = {"ca": {"ca.crt": b"ca", "ca.key": b"key"}}
    brought = {"c-ca": views.secret("c-ca", tls_crt=b"ca", tls_key=key)}
    assert has_arrived(elsewhere(authorities=authorities, secrets=brought)) is arrived
    assert not has_arrived(
        views.view(authorities=authorities, secrets=brought)
    )  # only what is elsewhere can stay behind
    assert not has_arrived(elsewhere(authorities={}, secrets=brought))


def test_no_secret_there_is_the_clusters_own() -> None:
    same = Place(namespace="tenants", name="c", access="ns/far")
    assert not shared(views.view(views.raw(name="c"), place=same))


def test_the_kubeconfig_is_one_that_has_a_meaning_here() -> None:
    kcp = views.raw(network={"advertiseAddress": "10.0.0.8"})
    admin = {"admin.conf": b"outside", "admin.svc": b"inside"}
    authorities = {"ca": {"ca.crt": b"ca", "ca.key": b"key"}}
    for place, words in ((THERE, "outside"), (None, "inside")):
        known = {"admin": admin, "authorities": authorities} | ({"place": place} if place else {})
        with pytest.raises(Exception, match="cannot be read"):  # neither is a kubeconfig; which was asked, the key says
            list(secrets.build(views.view(kcp, **known)))
        lacking = {key: value for key, value in admin.items() if value.decode() != words}
        with pytest.raises(Exception, match="has no key admin"):
            list(secrets.build(views.view(kcp, **(known | {"admin": lacking}))))
