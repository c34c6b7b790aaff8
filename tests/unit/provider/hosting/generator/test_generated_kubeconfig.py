"""The kubeconfig of one tenant: whose it is, where it leads, when it is made anew, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api import names
from provider.api.kubeconfiggenerator import RESERVED
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.hosting.desired import kubeconfiggenerator as desired
from provider.manifest import meta
from tests.unit.provider.hosting.generator.generators import (
    LATER,
    NOW,
    admin,
    annotated,
    authority,
    generator,
    held,
    subject,
    target,
    tenant,
    view,
)


def made(raw: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return desired.build(view(raw or generator()), target(**changes))


def refusal(raw: dict[str, Any], **changes: Any) -> Verdict:
    with pytest.raises(Verdict) as caught:
        made(raw, **changes)
    return caught.value


def test_its_secret_is_called_labelled_and_owned_as_upstream_has_it() -> None:
    secret = made()
    assert secret["metadata"]["name"] == "demo-team"
    assert secret["metadata"]["namespace"] == "tenants"
    assert secret["metadata"]["labels"] == {
        "kamaji.clastix.io/managed-by": "team",
        "kamaji.clastix.io/managed-for": "demo",
        "kamaji.clastix.io/certificate_lifecycle_controller": "kubeconfig",
    }
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("TenantControlPlane", "demo", "uid-of-demo")
    assert secret["type"] == "Opaque"
    assert list(secret["data"]) == ["value"]


@pytest.mark.fields("KubeconfigGenerator", "spec.controlPlaneEndpointFrom")
def test_it_leads_where_the_template_leads_under_names_of_its_own() -> None:
    found = held(made())
    assert (found.cluster, found.user, found.context) == ("demo", "team", "team")
    assert found.server == "https://demo.tenants.svc:6443"
    assert found.ca == authority().certificate
    assert held(made(generator(controlPlaneEndpointFrom="admin.conf"))).server == "https://192.0.2.1:6443"


def test_the_administrators_credentials_are_no_part_of_it() -> None:
    given = admin()
    client = held({"data": meta.secret_data({"value": given["admin.svc"]})}).client
    found = held(made(admin=given)).client
    assert found.key != client.key
    assert found.certificate != client.certificate


@pytest.mark.fields(
    "KubeconfigGenerator",
    "spec.user.stringValue",
    "spec.user.fromDefinition",
    "spec.groups[].stringValue",
    "spec.groups[].fromDefinition",
)
def test_user_and_groups_are_given_or_read_from_the_tenant() -> None:
    spec = {
        "user": {"fromDefinition": "metadata.name"},
        "groups": [
            {"stringValue": "customers"},
            {"fromDefinition": "metadata.namespace"},
            {"fromDefinition": r"metadata.labels.example\.com/team"},
            {"stringValue": "customers"},
        ],
    }
    tcp = tenant(labels={"example.com/team": "blue"})
    assert subject(made(generator(**spec), tcp=tcp)) == ("demo", {"customers", "tenants", "blue"})
    assert subject(made(generator(user={"stringValue": "dev"}))) == ("dev", set())


def test_a_cluster_admin_by_a_role_that_the_tenant_can_take_back_is_allowed() -> None:
    spec = {"groups": [{"stringValue": names.CLUSTER_ADMINS_GROUP}]}
    assert subject(made(generator(**spec))) == ("ops", {"kubeadm:cluster-admins"})


@pytest.mark.parametrize("name", ["system:masters", "system:nodes", "system:anything", "system:"])
@pytest.mark.parametrize("field", ["user", "groups"])
@pytest.mark.parametrize("source", ["stringValue", "fromDefinition"])
def test_kubernetes_own_names_are_refused_wherever_they_come_from(name: str, field: str, source: str) -> None:
    value = {"stringValue": name} if source == "stringValue" else {"fromDefinition": "metadata.annotations.who"}
    spec = {"user": value} if field == "user" else {"groups": [{"stringValue": "fine"}, value]}
    said = refusal(generator(**spec), tcp=tenant(annotations={"who": name}))
    assert isinstance(said, Invalid)
    assert said.reason == "SystemName"
    assert said.message.startswith(
        f"spec.{field if field == 'user' else 'groups[1]'}.{source} gives a name that begins"
    )
    assert "bound to cluster-admin already" in said.message


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        ({"fromDefinition": "metadata.labels.team"}, "PathNotFound", "leads nowhere in this tenant: add the field"),
        ({"fromDefinition": "spec.networkProfile.port"}, "PathNotText", "leads to no text"),
        ({"fromDefinition": "spec.networkProfile"}, "PathNotText", "leads to no text"),
        ({"fromDefinition": ".metadata.name"}, "PathMalformed", "is no path: write names with dots between them"),
        ({"fromDefinition": "metadata.annotations.empty"}, "ValueUnusable", "gives no text that can name anybody"),
        ({"fromDefinition": "metadata.annotations.lines"}, "ValueUnusable", "gives no text that can name anybody"),
        ({"stringValue": ""}, "ValueUnusable", "spec.user.stringValue gives no text"),
        ({"stringValue": "é" * 33}, "UserTooLong", "66 bytes long here"),
        ({"stringValue": "x" * 65}, "UserTooLong", "65 bytes long here, and a certificate's common name takes 64"),
    ],
)
def test_a_user_that_cannot_be_told_is_refused_with_advice(value: dict[str, str], reason: str, words: str) -> None:
    tcp = tenant(annotations={"empty": "", "lines": "a\nsecret"})
    said = refusal(generator(user=value), tcp=tcp)
    assert (said.reason, words in said.message) == (reason, True)
    assert "secret" not in said.message


def test_while_the_tenant_has_nothing_yet_it_waits() -> None:
    assert isinstance(refusal(generator(), admin={}), NotReady)
    assert isinstance(refusal(generator(), authority={}), NotReady)
    assert refusal(generator(), admin={"admin.svc": b"no kubeconfig"}).reason == "AdminKubeconfigUnreadable"
    broken = {"ca.crt": b"no certificate", "ca.key": b"no key"}
    assert refusal(generator(), authority=broken).reason == "AuthorityUnusable"


def test_an_endpoint_that_is_not_there_is_told_with_those_that_are() -> None:
    said = refusal(generator(controlPlaneEndpointFrom="public.conf"))
    assert said.reason == "EndpointUnknown"
    assert "write one of admin.conf, admin.svc to spec.controlPlaneEndpointFrom" in said.message


@pytest.mark.parametrize("name", [*RESERVED, "a" * 64])
def test_a_generator_whose_secrets_would_be_somebody_elses_makes_none(name: str) -> None:
    assert refusal(generator(name)).reason == "NameInvalid"


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {names.LABEL_MANAGED_BY: "other", names.LABEL_MANAGED_FOR: "demo"},
        {names.LABEL_MANAGED_BY: "team", names.LABEL_MANAGED_FOR: "demo-x"},
    ],
)
def test_a_secret_that_is_somebody_elses_is_left_alone(labels: dict[str, str]) -> None:
    secret = made()
    secret["metadata"]["labels"] = labels
    said = refusal(generator(), secret=secret)
    assert said.reason == "SecretTaken"
    assert "Secret tenants/demo-team exists and is not this generator's" in said.message


def test_what_stands_is_said_again_to_the_letter() -> None:
    secret = made()
    assert made(secret=secret) == secret


def test_it_is_made_anew_at_two_thirds_of_its_life_and_says_when() -> None:
    secret = made()
    due = desired.renewal(target(), secret)
    assert timedelta(days=224) < due - NOW < timedelta(days=244)
    before, after = due - timedelta(seconds=1), due + timedelta(seconds=1)
    assert held(desired.build(view(generator(), now=before), target(secret=secret))) == held(secret)
    again = desired.build(view(generator(), now=after), target(secret=secret))
    assert held(again).client != held(secret).client
    assert desired.renewal(target(), again) > LATER


OTHER_CA = authority("another")


@pytest.mark.parametrize(
    ("raw", "changes"),
    [
        (generator(user={"stringValue": "dev"}), {}),
        (generator(groups=[{"stringValue": "more"}]), {}),
        (generator(), {"authority": {"ca.crt": OTHER_CA.certificate, "ca.key": OTHER_CA.key}}),
    ],
)
def test_another_user_group_or_authority_asks_for_another_certificate(
    raw: dict[str, Any], changes: dict[str, Any]
) -> None:
    secret = made()
    assert held(made(raw, secret=secret, **changes)).client != held(secret).client


def test_after_an_authority_was_lost_what_it_signed_stays_until_it_is_dropped() -> None:
    first = made()
    lost = {"ca.crt": OTHER_CA.certificate, "ca.key": OTHER_CA.key}
    standing = {"secret": first, "admin": admin(ca=OTHER_CA)}
    trusted = made(authority={**lost, "former.crt": authority().certificate}, **standing)
    assert held(trusted).client == held(first).client
    assert held(made(authority=lost, **standing)).client != held(first).client


def test_another_server_or_authority_in_the_template_is_taken_over() -> None:
    secret = made()
    moved = held(made(secret=secret, admin=admin("https://moved:6443")))
    assert (moved.server, moved.client) == ("https://moved:6443", held(secret).client)
    assert held(made(secret=secret, admin=admin(ca=OTHER_CA))).ca == OTHER_CA.certificate


def test_one_that_cannot_be_read_is_made_anew() -> None:
    secret = made()
    secret["data"] = meta.secret_data({"value": b"tampered"})
    assert subject(made(secret=secret)) == ("ops", set())


def test_who_asks_for_another_by_annotation_gets_one_and_a_time() -> None:
    secret = made()
    rotated = made(secret=annotated(secret, {names.ANNOTATION_ROTATE: ""}))
    assert held(rotated).client != held(secret).client
    assert meta.annotations_of(rotated)[names.ANNOTATION_ROTATE] == "2026-11-24T12:00:00Z"
    assert made(secret=rotated) == rotated


printable = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=80)


@given(st.text(max_size=80) | printable, st.text(max_size=80) | printable)
def test_whatever_a_tenant_says_of_itself_ends_in_a_certificate_or_a_message(user: str, group: str) -> None:
    spec = {
        "user": {"fromDefinition": "metadata.annotations.user"},
        "groups": [{"fromDefinition": "metadata.annotations.group"}],
    }
    tcp = tenant(annotations={"user": user, "group": group})
    try:
        secret = made(generator(**spec), tcp=tcp)
    except Invalid as verdict:
        assert verdict.message
    else:
        assert subject(secret) == (user, {group})
        assert not any(each.startswith("system:") for each in (user, group))
