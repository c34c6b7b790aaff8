"""kube-apiserver: which flags no user may bend, what to do instead, and how it finds store, address and admission."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.verdict import Invalid
from provider.hosting.desired.deployment import apiserver
from provider.hosting.view import Keyspace
from provider.manifest import meta
from tests.golden.world import store, tenant, view, walk


def args(*user: str, **spec: Any) -> dict[str, str]:
    """Flags by name; of one that is there twice the last, as the program reads it."""
    raw = tenant(**spec)
    raw["spec"]["controlPlane"]["deployment"]["extraArgs"] = {"apiServer": list(user)}
    walked = walk(view(raw))
    assert not walked.declined, walked.declined
    return dict(each.removeprefix("--").split("=", 1) for each in walked.args("kube-apiserver"))


def refused(*user: str) -> Invalid:
    """With a tunnel and encryption, whose flags are managed too."""
    flags = {"deployment": {"extraArgs": {"apiServer": list(user)}}}
    annotations = {names.ANNOTATION_ENCRYPT: "secrets"}
    raw = tenant(controlPlane=flags, addons={"konnectivity": {}}, annotations=annotations)
    found = walk(view(raw)).declined["deployment"]
    assert isinstance(found, Invalid)
    return found


MANAGED = [
    "advertise-address",
    "client-ca-file",
    "egress-selector-config-file",
    "enable-admission-plugins",
    "encryption-provider-config",
    "etcd-cafile",
    "etcd-certfile",
    "etcd-compaction-interval",
    "etcd-db-metric-poll-interval",
    "etcd-keyfile",
    "etcd-prefix",
    "etcd-servers",
    "etcd-servers-overrides",
    "kubelet-client-certificate",
    "kubelet-client-key",
    "kubelet-preferred-address-types",
    "proxy-client-cert-file",
    "proxy-client-key-file",
    "requestheader-allowed-names",
    "requestheader-client-ca-file",
    "secure-port",
    "service-account-key-file",
    "service-account-signing-key-file",
    "service-cluster-ip-range",
    "tls-cert-file",
    "tls-private-key-file",
]


@pytest.mark.parametrize("flag", MANAGED)
def test_each_managed_flag_is_refused_by_its_name(flag: str) -> None:
    found = refused(f"--{flag}=mine")
    assert found.reason == "FlagManaged"
    assert f"extraArgs.apiServer: --{flag} is set by the provider" in found.message


@pytest.mark.parametrize("flag", apiserver.ADVICE)
def test_where_the_spec_has_a_field_for_it_the_message_names_the_field(flag: str) -> None:
    assert refused(f"--{flag}=mine").message.endswith(apiserver.ADVICE[flag])


def test_advice_is_given_for_managed_flags_only() -> None:
    assert set(apiserver.ADVICE) <= set(MANAGED)


@pytest.mark.parametrize("flag", sorted(apiserver.DEFAULTS))
def test_each_default_gives_way_to_the_user(flag: str) -> None:
    assert args(f"--{flag}=mine")[flag] == "mine"


@pytest.mark.keeps("better.node-restriction")
def test_nodes_are_restricted_whatever_admission_the_user_lists() -> None:
    assert args()["enable-admission-plugins"].endswith(",NodeRestriction")
    listed = args(kubernetes={"admissionControllers": ["NodeRestriction", "LimitRanger"]})
    assert listed["enable-admission-plugins"] == "NodeRestriction,LimitRanger"
    assert args(kubernetes={"admissionControllers": []})["enable-admission-plugins"] == "NodeRestriction"


@pytest.mark.keeps("better.node-restriction")
@pytest.mark.parametrize(
    "user",
    [
        ["--disable-admission-plugins=LimitRanger,NodeRestriction"],
        ["--disable_admission_plugins=NodeRestriction"],
        ["--disable-admission-plugins", "NodeRestriction"],
        ["--disable-admission-plugins=LimitRanger", "--disable-admission-plugins=NodeRestriction"],
    ],
)
def test_node_restriction_cannot_be_disabled(user: list[str]) -> None:
    found = refused(*user)
    assert found.reason == "NodeRestrictionDisabled"
    assert "a worker could act for any other: take it out" in found.message


def test_another_plugin_can_be_disabled() -> None:
    assert args("--disable-admission-plugins=LimitRanger")["disable-admission-plugins"] == "LimitRanger"


def test_a_file_of_authorizers_replaces_our_list_of_them() -> None:
    assert args()["authorization-mode"] == "Node,RBAC"
    found = args("--authorization-config=/etc/authz.yaml")
    assert "authorization-mode" not in found, "the API server refuses both at once"


def test_the_state_lives_under_the_recorded_keyspace_and_never_under_the_spec() -> None:
    raw = tenant(dataStoreSchema="wish")
    walked = walk(view(raw, keyspace=Keyspace(schema="recorded", user="who")))
    assert "--etcd-prefix=/recorded" in walked.args("kube-apiserver")


@pytest.mark.keeps("better.drivers")
def test_all_members_of_the_store_are_named() -> None:
    found = args()
    assert found["etcd-servers"] == "https://etcd-0.kamaji-system.svc:2379,https://etcd-1.kamaji-system.svc:2379"
    moved = walk(view(tenant(), store=replace(store(), endpoints=("[fd00::1]:2379",))))
    assert "--etcd-servers=https://[fd00::1]:2379" in moved.args("kube-apiserver")


def test_compaction_is_the_operators_matter() -> None:
    """A tenant's certificate may not compact, and a try every five minutes would fill its log."""
    assert (args()["etcd-compaction-interval"], args()["etcd-db-metric-poll-interval"]) == ("0", "0")


def test_a_name_is_not_advertised() -> None:
    balancer = {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}
    given = meta.new(kinds.SERVICE, "demo", "tenants", status=balancer)
    walked = walk(view(tenant(controlPlane={"service": {"serviceType": "LoadBalancer"}})), [given])
    assert not [each for each in walked.args("kube-apiserver") if each.startswith("--advertise-address")]


@pytest.mark.keeps("better.dual-stack")
def test_two_families_are_two_service_ranges_in_the_order_written() -> None:
    found = args(networkProfile={"serviceCidrs": ["10.96.0.0/16", "fd00::/112"]})
    assert found["service-cluster-ip-range"] == "10.96.0.0/16,fd00::/112"
