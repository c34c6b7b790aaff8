from __future__ import annotations

from typing import Any

import pytest
import yaml

from provider.api.verdict import Invalid, NotReady
from provider.capi.desired import secrets
from provider.capi.view import View
from provider.manifest import Manifest, meta
from provider.manifest.kubeconfig import Kubeconfig
from provider.manifest.x509 import Pair
from tests.unit.provider.capi import views

AUTHORITIES = {
    "ca": {"ca.crt": b"ca", "ca.key": b"key"},
    "proxy": {"front-proxy-ca.crt": b"proxy", "front-proxy-ca.key": b"proxy key"},
    "sa": {"sa.pub": b"public", "sa.key": b"private"},
    "etcd": {"ca.crt": b"store", "server.crt": b"client", "server.key": b"client key"},
}
SERVER = "https://10.0.0.1:6443"
OTHER = views.owner(views.raw(), uid="somebody else")


def source(server: str = SERVER) -> bytes:
    """An admin kubeconfig as the hosting room writes it, under the tenant's name."""
    client = Pair(certificate=b"certificate", key=b"key")
    return Kubeconfig(cluster="kcp", server=server, ca=b"ca", user="kubernetes-admin", client=client).render()


def view(kcp: Manifest | None = None, **known: Any) -> View:
    """A control plane whose hosting room has made all it makes."""
    admin = {"admin.conf": source(), "admin.svc": source("https://kcp.ns.svc:6443")}
    return views.view(kcp, **{"tcp": views.tenant(), "admin": admin, "authorities": AUTHORITIES, **known})


def built(found: View) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in secrets.build(found)}


def test_the_secrets_are_called_after_the_cluster_and_are_what_caches_look_for() -> None:
    found = built(view())
    assert set(found) == {"c-kubeconfig", "c-ca", "c-proxy", "c-sa", "c-etcd"}
    for each in found.values():
        assert each["type"] == "cluster.x-k8s.io/secret"
        assert each["metadata"]["namespace"] == "ns"
        assert each["metadata"]["labels"] == {"cluster.x-k8s.io/cluster-name": "c"}
        (owner,) = each["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("KamajiControlPlane", "kcp", views.UID)
        assert owner["controller"] is True
    data = {name: meta.decoded(each) for name, each in found.items() if name != "c-kubeconfig"}
    assert data == {
        "c-ca": {"tls.crt": b"ca", "tls.key": b"key"},
        "c-proxy": {"tls.crt": b"proxy", "tls.key": b"proxy key"},
        "c-sa": {"tls.crt": b"public", "tls.key": b"private"},
        "c-etcd": {"tls.crt": b"store"},  # the key of a shared store is nobody's to hand out
    }


@pytest.mark.keeps("better.authority-overlap")
def test_while_an_authority_takes_anothers_place_the_cluster_trusts_both() -> None:
    both = {"ca-bundle.crt": b"ca\nformer", "former.crt": b"former"}
    found = view(authorities={**AUTHORITIES, "ca": {**AUTHORITIES["ca"], **both}})
    made = built(found)
    assert meta.decoded(made["c-ca"]) == {"tls.crt": b"ca\nformer", "tls.key": b"key"}
    assert secrets.fault(found.holding(*made.values())) is None
    assert secrets.concern(found.holding(*made.values())) is None


def test_a_pair_that_the_hosted_control_plane_has_not_is_not_handed_out_and_holds_up_nothing() -> None:
    found = view(authorities={"ca": AUTHORITIES["ca"], "proxy": {"front-proxy-ca.crt": b"half"}})
    assert set(built(found)) == {"c-kubeconfig", "c-ca"}
    assert secrets.concern(found) is None


def test_the_kubeconfigs_entries_are_those_that_cluster_apis_tools_index() -> None:
    document = yaml.safe_load(meta.decoded(built(view())["c-kubeconfig"])["value"])
    assert [each["name"] for each in document["clusters"]] == ["c"]
    assert document["clusters"][0]["cluster"]["server"] == SERVER
    assert [each["name"] for each in document["users"]] == ["c-admin"]
    assert set(document["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
    assert document["current-context"] == "c-admin@c"
    assert document["contexts"] == [{"name": "c-admin@c", "context": {"cluster": "c", "user": "c-admin"}}]


@pytest.mark.parametrize(
    ("network", "annotations", "server"),
    [
        ({}, {}, SERVER),
        ({"advertiseAddress": "192.0.2.1"}, {}, "https://kcp.ns.svc:6443"),  # admin.conf names what only nodes reach
        ({}, {"kamaji.clastix.io/kubeconfig-secret-key": "admin.svc"}, "https://kcp.ns.svc:6443"),
        ({"advertiseAddress": "192.0.2.1"}, {"kamaji.clastix.io/kubeconfig-secret-key": "admin.conf"}, SERVER),
    ],
)
def test_the_kubeconfig_is_one_that_the_management_cluster_can_use(network: Any, annotations: Any, server: str) -> None:
    kcp = views.raw(network=network, metadata={"annotations": annotations})
    document = yaml.safe_load(meta.decoded(built(view(kcp))["c-kubeconfig"])["value"])
    assert document["clusters"][0]["cluster"]["server"] == server


@pytest.mark.parametrize(
    "lacking",
    [
        {"admin": {}},
        {"authorities": {}},
        {"authorities": {"ca": {"ca.crt": b"ca"}}},
        {"admin": {"admin.svc": source()}},
    ],
)
def test_nothing_is_handed_out_before_all_of_it_can_be(lacking: Any) -> None:
    with pytest.raises(NotReady):
        list(secrets.build(view(**lacking)))


def test_a_kubeconfig_that_cannot_be_read_is_told_without_its_content() -> None:
    with pytest.raises(Invalid) as error:
        list(secrets.build(view(admin={"admin.conf": b"exec: rm"})))
    assert "exec" not in str(error.value)


def test_of_a_tenant_called_like_its_cluster_the_hosting_room_keeps_the_authority() -> None:
    assert set(built(view(cluster=views.cluster("kcp")))) == {"kcp-kubeconfig", "kcp-proxy", "kcp-sa", "kcp-etcd"}


def test_a_secret_of_another_type_is_the_users_own() -> None:
    own = {"c-ca": views.secret("c-ca", type="kubernetes.io/tls", tls_crt=b"ca", tls_key=b"key")}
    assert "c-ca" not in built(view(secrets=own))


def test_a_secret_that_lost_its_owner_is_taken_back_and_one_of_another_is_not() -> None:
    orphan = views.secret("c-ca", tls_crt=b"ca", tls_key=b"key")
    anothers = views.secret("c-ca", controller=OTHER, tls_crt=b"ca", tls_key=b"key")
    assert "c-ca" in built(view(secrets={"c-ca": orphan}))
    assert "c-ca" not in built(view(secrets={"c-ca": anothers}))


def test_a_pair_that_nobody_controls_and_that_says_something_else_is_never_written_over() -> None:
    mine = {"c-ca": views.secret("c-ca", tls_crt=b"mine", tls_key=b"mine")}
    assert "c-ca" not in built(view(secrets=mine))
    fault = secrets.fault(view(secrets={**views.complete(), **mine}))
    assert fault is not None
    assert fault.reason == "AuthorityMismatch"


@pytest.mark.parametrize("name", ["c-proxy", "c-sa", "c-etcd"])
@pytest.mark.parametrize("type", ["Opaque", "cluster.x-k8s.io/secret"])
def test_another_pair_than_the_control_planes_is_left_alone_told_and_keeps_no_worker_away(name: str, type: str) -> None:
    mine = {name: views.secret(name, type=type, tls_crt=b"mine", tls_key=b"mine")}
    found = view(secrets={**views.complete(), **mine})
    assert name not in built(found)
    concern = secrets.concern(found)
    assert concern is not None
    assert concern.reason == "AuthorityMismatch"
    assert f"Secret ns/{name}" in concern.message
    assert secrets.fault(found) is None


def test_a_pair_under_another_controller_is_told() -> None:
    taken = {"c-sa": views.secret("c-sa", controller=OTHER, tls_crt=b"public", tls_key=b"private")}
    concern = secrets.concern(view(secrets={**views.complete(), **taken}))
    assert concern is not None
    assert concern.reason == "SecretTaken"


def test_with_both_secrets_workers_can_join() -> None:
    assert secrets.fault(view(secrets=views.complete())) is None


@pytest.mark.parametrize(
    ("name", "found", "reason"),
    [
        ("c-kubeconfig", None, "WaitingForCertificates"),
        ("c-ca", None, "WaitingForCertificates"),
        ("c-kubeconfig", views.secret("c-kubeconfig", type="Opaque", other=b"x"), "KubeconfigMissing"),
        ("c-ca", views.secret("c-ca", type="Opaque", tls_crt=b"ca"), "AuthorityIncomplete"),
        ("c-ca", views.secret("c-ca", type="Opaque", tls_crt=b"mine", tls_key=b"mine"), "AuthorityMismatch"),
        ("c-ca", views.secret("c-ca", controller=OTHER, tls_crt=b"ca", tls_key=b"key"), "SecretTaken"),
        ("c-kubeconfig", views.secret("c-kubeconfig", controller=OTHER, value=b"x"), "SecretTaken"),
    ],
)
def test_what_keeps_workers_from_joining_is_told(name: str, found: Any, reason: str) -> None:
    held = {key: each for key, each in {**views.complete(), name: found}.items() if each}
    fault = secrets.fault(view(secrets=held))
    assert fault is not None
    assert fault.reason == reason
    assert f"Secret ns/{name}" in fault.message


def test_an_authority_in_a_bundle_or_with_other_line_ends_is_the_same() -> None:
    bundle = views.secret("c-ca", type="Opaque", tls_crt=b"intermediate\r\nc\r\na\r\n", tls_key=b"key")
    held = {**views.complete(), "c-ca": bundle}
    assert secrets.fault(view(authorities={"ca": {"ca.crt": b"c\na\n", "ca.key": b"key"}}, secrets=held)) is None
