"""Pairs that were there before the control plane are used, and those that cannot be are told."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api.verdict import Invalid
from provider.capi.desired import brought
from provider.capi.view import View
from provider.manifest import Manifest, meta, x509
from tests.golden.world import NOW, CountedMint
from tests.unit.provider.capi import views

OURS = views.owner(views.raw())
OTHER = views.owner(views.raw(), uid="somebody else")
PAIR: dict[str, Any] = {"tls_crt": b"mine", "tls_key": b"key"}
TYPES = ("kubernetes.io/tls", "Opaque", "cluster.x-k8s.io/secret")


def before_birth(*found: Manifest, name: str = "c") -> View:
    """A control plane that is not born yet, with these Secrets of its Cluster."""
    return views.view(cluster=views.cluster(name), secrets={each["metadata"]["name"]: each for each in found})


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize(
    ("name", "place", "data"),
    [
        ("c-ca", "kcp-ca", {"ca.crt": b"mine", "ca.key": b"key", "tls.crt": b"mine", "tls.key": b"key"}),
        (
            "c-proxy",
            "kcp-front-proxy-ca-certificate",
            {"front-proxy-ca.crt": b"mine", "front-proxy-ca.key": b"key"},
        ),
        ("c-sa", "kcp-sa-certificate", {"sa.pub": b"mine", "sa.key": b"key"}),
    ],
)
def test_a_pair_that_the_user_brought_is_put_where_the_hosting_room_looks(
    name: str, place: str, data: Any, type: str
) -> None:
    (found,) = brought.pairs(before_birth(views.secret(name, type=type, **PAIR)))
    assert found["metadata"] == {"name": place, "namespace": "ns"}  # no owner: the hosting room becomes it
    assert meta.decoded(found) == data


def test_the_pairs_of_a_tenant_that_was_lost_are_those_of_the_next() -> None:
    (found,) = brought.pairs(before_birth(views.secret("c-ca", controller=OURS, **PAIR)))
    assert meta.decoded(found)["ca.crt"] == b"mine"


def test_of_a_tenant_that_was_lost_amid_a_rotation_the_authority_that_has_its_key_is_that_of_the_next() -> None:
    signer, former = (x509.authority("kubernetes", CountedMint(start), NOW) for start in (1, 100))
    both = {"tls_crt": signer.certificate + former.certificate, "tls_key": signer.key}
    (found,) = brought.pairs(before_birth(views.secret("c-ca", controller=OURS, **both)))
    assert meta.decoded(found)["ca.crt"] == signer.certificate
    (found,) = brought.pairs(before_birth(views.secret("c-ca", **both)))
    assert meta.decoded(found)["ca.crt"] == both["tls_crt"], "what a user brought stays as it is"


@pytest.mark.parametrize(
    "found",
    [
        views.secret("c-etcd", type="Opaque", **PAIR),  # the store is the DataStore's
        views.secret("c-ca", controller=OTHER, **PAIR),
        views.secret("c-ca", controller=OURS, tls_crt=b"damaged"),
        views.secret("c-kubeconfig", type="Opaque", value=b"x"),
    ],
    ids=lambda each: each["metadata"]["name"],
)
def test_what_is_not_to_be_used_is_not(found: Manifest) -> None:
    assert list(brought.pairs(before_birth(found))) == []


def test_without_one_the_hosting_room_makes_its_own() -> None:
    assert list(brought.pairs(before_birth())) == []


def test_a_pair_brought_after_the_birth_comes_too_late() -> None:
    own = {"c-ca": views.secret("c-ca", type="Opaque", **PAIR)}
    assert list(brought.pairs(views.view(tcp=views.tenant(), secrets=own))) == []


@pytest.mark.parametrize("name", ["c-ca", "c-proxy", "c-sa"])
@pytest.mark.parametrize("data", [{"tls_crt": b"mine"}, {"tls_key": b"key"}, {"tls_crt": b"mine", "tls_key": b""}])
def test_half_a_pair_is_refused_before_the_birth(name: str, data: Any) -> None:
    with pytest.raises(Invalid, match="AuthorityIncomplete"):
        list(brought.pairs(before_birth(views.secret(name, type="kubernetes.io/tls", **data))))


def test_of_a_tenant_called_like_its_cluster_the_brought_secret_is_never_written_over() -> None:
    with pytest.raises(Invalid, match="AuthorityNotAdopted"):
        list(brought.pairs(before_birth(views.secret("kcp-ca", type="kubernetes.io/tls", **PAIR), name="kcp")))
    adopted = views.secret("kcp-ca", type="kubernetes.io/tls", ca_crt=b"mine", ca_key=b"key", **PAIR)
    assert list(brought.pairs(before_birth(adopted, name="kcp"))) == []
