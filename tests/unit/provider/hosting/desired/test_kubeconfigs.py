"""Kubeconfigs: who each one is, where it leads, and that its certificate is kept while everything else follows the spec."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509 as parsing

from provider.api import kinds, names
from provider.api.verdict import NotReady
from provider.hosting.desired import kubeconfigs
from provider.hosting.view import Seen, View
from provider.manifest import kubeconfig, meta, x509
from provider.manifest.kubeconfig import Kubeconfig
from tests.golden.world import NOW, CountedMint, tenant, view, walk

FILES = {
    "demo-admin-kubeconfig": {
        "admin.conf": ("O=kubeadm:cluster-admins,CN=kubernetes-admin", "https://10.96.7.7:6443"),
        "admin.svc": ("O=kubeadm:cluster-admins,CN=kubernetes-admin", "https://demo.tenants.svc:6443"),
        "super-admin.conf": ("O=system:masters,CN=kubernetes-super-admin", "https://10.96.7.7:6443"),
        "super-admin.svc": ("O=system:masters,CN=kubernetes-super-admin", "https://demo.tenants.svc:6443"),
    },
    "demo-controller-manager-kubeconfig": {
        "controller-manager.conf": ("CN=system:kube-controller-manager", "https://127.0.0.1:6443"),
    },
    "demo-scheduler-kubeconfig": {"scheduler.conf": ("CN=system:kube-scheduler", "https://127.0.0.1:6443")},
}
EVERY = [(secret, key, *said) for secret, keys in FILES.items() for key, said in keys.items()]


def made(start: View | None = None) -> View:
    return walk(start or view(tenant())).view


def read(found: View, secret: str, key: str) -> Kubeconfig:
    return kubeconfig.parse(found.secret(secret)[key])


def again(before: View, now_after: timedelta = timedelta(), **spec: object) -> View:
    """Built a second time over what stands, with a mint that would give other keys."""
    raw = tenant(**spec)
    start = view(raw, *before.seen.objects.values(), now=NOW + now_after, mint=CountedMint(9000))
    return start.folded(*kubeconfigs.build(start))


def test_each_secret_has_its_files_and_no_other() -> None:
    found = made()
    assert {secret: set(found.secret(secret)) for secret in FILES} == {
        secret: set(keys) for secret, keys in FILES.items()
    }


@pytest.mark.parametrize(("secret", "key", "who", "server"), EVERY)
def test_each_file_says_who_and_where(secret: str, key: str, who: str, server: str) -> None:
    found = made()
    file = read(found, secret, key)
    certificate = parsing.load_pem_x509_certificate(file.client.certificate)
    subject = ",".join(reversed(certificate.subject.rfc4514_string().split(",")))
    assert (subject, file.server) == (who, server)
    assert file.ca == found.secret("demo-ca")["ca.crt"]
    assert file.context == f"{file.user}@demo"
    certificate.verify_directly_issued_by(parsing.load_pem_x509_certificate(file.ca))


def test_only_the_super_admin_passes_by_authorization() -> None:
    masters = [key for _, key, who, _ in EVERY if "system:masters" in who]
    assert masters == ["super-admin.conf", "super-admin.svc"]


@pytest.mark.parametrize(("secret", "key"), [each[:2] for each in EVERY])
def test_a_certificate_is_kept_while_it_serves_and_renewed_after_two_thirds(secret: str, key: str) -> None:
    first = made()
    kept, renewed = again(first, timedelta(days=200)), again(first, timedelta(days=250))
    assert kept.secret(secret)[key] == first.secret(secret)[key]
    assert read(renewed, secret, key).client != read(first, secret, key).client


def test_another_address_changes_the_file_and_not_the_certificate() -> None:
    first = made()
    moved = again(first, networkProfile={"address": "api.example.com"})
    before, after = (read(each, "demo-admin-kubeconfig", "admin.conf") for each in (first, moved))
    assert after.server == "https://api.example.com:6443"
    assert after.client == before.client
    assert moved.secret("demo-scheduler-kubeconfig") == first.secret("demo-scheduler-kubeconfig")


def test_another_authority_makes_all_of_them_anew() -> None:
    first = made()
    ca = x509.authority("kubernetes", CountedMint(8000), NOW)
    secret = meta.secret_data({"ca.crt": ca.certificate, "ca.key": ca.key})
    objects = dict(first.seen.objects)
    key = ("Secret", "tenants", "demo-ca")
    objects[key] = {**objects[key], "data": secret}
    found = again(replace(first, seen=Seen(objects)))
    for name, file, *_ in EVERY:
        assert read(found, name, file).ca == ca.certificate
        certificate = parsing.load_pem_x509_certificate(read(found, name, file).client.certificate)
        certificate.verify_directly_issued_by(parsing.load_pem_x509_certificate(ca.certificate))


@pytest.mark.parametrize("content", [b"", b"junk", b"clusters: []", b"\xff"])
def test_what_somebody_broke_is_made_anew(content: bytes) -> None:
    first = made()
    broken = meta.new(
        kinds.SECRET, "demo-scheduler-kubeconfig", "tenants", data=meta.secret_data({"scheduler.conf": content})
    )
    found = again(first.folded(broken))
    assert read(found, "demo-scheduler-kubeconfig", "scheduler.conf").server == "https://127.0.0.1:6443"


@pytest.mark.keeps("better.rotation")
@pytest.mark.parametrize("secret", sorted({each[0] for each in EVERY}))
def test_who_asks_for_another_gets_every_file_of_the_secret_anew_and_no_other(secret: str) -> None:
    first = made()
    asked = meta.new(kinds.SECRET, secret, "tenants", annotations={names.ANNOTATION_ROTATE: ""})
    stands = first.seen.get(kinds.SECRET, secret, "tenants")
    assert stands is not None
    metadata = {**stands["metadata"], "annotations": asked["metadata"]["annotations"]}
    found = again(first.folded({**stands, "metadata": metadata}))
    for name, file, *_ in EVERY:
        anew = read(found, name, file).client != read(first, name, file).client
        assert anew is (name == secret)


def test_without_the_authority_it_waits() -> None:
    with pytest.raises(NotReady, match="demo-ca"):
        list(kubeconfigs.build(view(tenant())))


def test_the_status_names_the_secret_that_tools_follow() -> None:
    found = kubeconfigs.report(made())["kubeconfig"]
    assert {key: block["secretName"] for key, block in found.items()} == {
        "admin": "demo-admin-kubeconfig",
        "controllerManager": "demo-controller-manager-kubeconfig",
        "scheduler": "demo-scheduler-kubeconfig",
    }
    assert kubeconfigs.report(view(tenant())) == {"kubeconfig": {}}


def test_each_secret_is_marked_as_one_with_certificates_in_kubeconfigs() -> None:
    for each in walk(view(tenant())).said["kubeconfigs"]:
        assert meta.labels_of(each)[names.LABEL_CERTIFICATE_LIFECYCLE] == "kubeconfig"
