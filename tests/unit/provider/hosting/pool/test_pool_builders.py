"""What a pool is made of: two authorities apart, certificates that are kept, etcd's flags, rights and volumes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509 as parsing
from cryptography.x509.oid import NameOID

from provider.api import kinds
from provider.api.verdict import NotReady
from provider.hosting.desired.pool import PARTS, configuration, store, volume
from provider.hosting.storeview import PoolView, guests
from provider.manifest import Manifest, meta, x509, yamltext
from provider.manifest.x509 import Pair
from tests.unit.provider.hosting.pool.pool_views import NOW, applied, node, pool_view

BY_KIND = {each.kind: each for each in vars(kinds).values() if isinstance(each, kinds.Kind)}
NAMESPACE = "kamaji-system"


@pytest.fixture
def view() -> PoolView:
    return pool_view()


def said(view: PoolView, kind: str, name: str) -> Manifest:
    found = applied(view).seen.get(BY_KIND[kind], name, NAMESPACE if BY_KIND[kind].namespaced else None)
    assert found is not None
    return found


def stateful_set(view: PoolView) -> Manifest:
    return said(view, "StatefulSet", "default-etcd")


def container(view: PoolView) -> dict[str, Any]:
    (only,) = stateful_set(view)["spec"]["template"]["spec"]["containers"]
    return dict(only)


def configuration_of(view: PoolView, member: str = "default-etcd-0") -> dict[str, Any]:
    return dict(yamltext.read(said(view, "ConfigMap", "default-etcd")["data"][f"{member}.yaml"]))


def certificate(view: PoolView, secret: str) -> parsing.Certificate:
    return parsing.load_pem_x509_certificate(view.secret(secret)["tls.crt"])


def test_every_object_ends_with_the_pool(view: PoolView) -> None:
    for each in applied(view).seen.objects.values():
        assert each["metadata"]["ownerReferences"][0]["uid"] == view.pool.metadata.uid


def test_a_second_pass_says_the_same_to_the_byte(view: PoolView) -> None:
    first = applied(view)
    assert applied(first).seen == first.seen


def test_a_certificate_for_clients_does_not_open_the_peer_port(view: PoolView) -> None:
    view = applied(view)
    clients, peers = view.secret("default-etcd-ca"), view.secret("default-etcd-peer-ca")
    assert clients["ca.crt"] != peers["ca.crt"]
    root = certificate(view, "default-etcd-root-client")
    root.verify_directly_issued_by(parsing.load_pem_x509_certificate(clients["ca.crt"]))
    certificate(view, "default-etcd-peer").verify_directly_issued_by(parsing.load_pem_x509_certificate(peers["ca.crt"]))
    assert view.secret("default-etcd-peer")["ca.crt"] == peers["ca.crt"]


def test_no_pod_mounts_the_key_of_an_authority_or_the_root_user(view: PoolView) -> None:
    volumes = stateful_set(view)["spec"]["template"]["spec"]["volumes"]
    mounted = {each["secret"]["secretName"] for each in volumes if "secret" in each}
    assert mounted == {"default-etcd-server", "default-etcd-peer"}


def test_the_server_certificate_names_what_clients_dial_and_is_no_client_itself(view: PoolView) -> None:
    leaf = certificate(applied(view), "default-etcd-server")
    alternatives = leaf.extensions.get_extension_for_class(parsing.SubjectAlternativeName).value
    assert set(alternatives.get_values_for_type(parsing.DNSName)) == {
        "default-etcd.kamaji-system.svc",
        "default-etcd-0.default-etcd-members.kamaji-system.svc",
        "localhost",
    }
    usage = leaf.extensions.get_extension_for_class(parsing.ExtendedKeyUsage).value
    assert list(usage) == [parsing.ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_root_user_is_known_by_its_common_name_alone(view: PoolView) -> None:
    subject = certificate(applied(view), "default-etcd-root-client").subject
    assert [(each.oid, each.value) for each in subject] == [(NameOID.COMMON_NAME, "root")]


def test_when_a_leaf_has_lived_two_thirds_then_it_is_renewed_and_no_pod_starts_again(view: PoolView) -> None:
    before = applied(view)
    after = applied(replace(before, now=NOW + timedelta(days=250)))
    assert after.secret("default-etcd-server")["tls.crt"] != before.secret("default-etcd-server")["tls.crt"]
    assert after.secret("default-etcd-ca") == before.secret("default-etcd-ca")
    assert stateful_set(after) == stateful_set(before)


def test_when_an_authority_is_lost_then_leaves_are_made_anew_and_pods_start_again(view: PoolView) -> None:
    before = applied(view)
    lost = {key: each for key, each in before.seen.objects.items() if key[2] != "default-etcd-ca"}
    after = applied(replace(before, seen=type(before.seen)(lost)))
    issuer = parsing.load_pem_x509_certificate(after.secret("default-etcd-ca")["ca.crt"])
    certificate(after, "default-etcd-root-client").verify_directly_issued_by(issuer)
    templates = [stateful_set(each)["spec"]["template"]["metadata"]["annotations"] for each in (before, after)]
    assert templates[0] != templates[1]


def test_an_authority_that_someone_restored_is_used_as_it_is(view: PoolView) -> None:
    brought = x509.authority("brought", view.mint, NOW)
    data = meta.secret_data({"ca.crt": brought.certificate, "ca.key": brought.key})
    view = applied(view.folded(meta.new(kinds.SECRET, "default-etcd-ca", NAMESPACE, data=data)))
    seen = view.secret("default-etcd-ca")
    assert Pair(certificate=seen["ca.crt"], key=seen["ca.key"]) == brought


def test_etcd_asks_every_client_and_every_peer_for_a_certificate(view: PoolView) -> None:
    said = configuration_of(view)
    assert said["client-transport-security"]["client-cert-auth"] is True
    assert said["peer-transport-security"]["client-cert-auth"] is True
    assert said["enable-grpc-gateway"] is False
    assert [key for key, each in said.items() if "http://" in str(each)] == ["listen-metrics-urls"]


def test_a_member_has_a_name_that_outlives_its_pod(view: PoolView) -> None:
    host = "default-etcd-0.default-etcd-members.kamaji-system.svc"
    assert configuration_of(view)["initial-cluster"] == f"default-etcd-0=https://{host}:2380"
    spec = stateful_set(view)["spec"]
    assert (spec["serviceName"], spec["replicas"]) == ("default-etcd-members", 1)
    assert said(view, "Service", "default-etcd-members")["spec"]["publishNotReadyAddresses"] is True


@pytest.mark.fields("DataStorePool", "spec.storage.size")
@pytest.mark.parametrize(
    ("size", "quota"), [("8Gi", 2576980377), ("10Gi", 3221225472), ("100Mi", 31457280), ("1T", 8 * 2**30)]
)
def test_the_quota_leaves_room_for_a_snapshot_and_to_defragment(size: str, quota: int) -> None:
    assert configuration.quota(size) == quota
    assert configuration_of(pool_view({"storage": {"size": size}}))["quota-backend-bytes"] == quota


@pytest.mark.fields("DataStorePool", "spec.version")
@pytest.mark.parametrize("version", ["3.6.15", "v3.6.15"])
def test_the_image_is_etcds_own(version: str) -> None:
    assert container(pool_view({"version": version}))["image"] == "quay.io/coreos/etcd:v3.6.15"


def test_on_a_volume_etcd_runs_as_nobody_in_particular(view: PoolView) -> None:
    rights = stateful_set(view)["spec"]["template"]["spec"]["securityContext"]
    assert rights["runAsNonRoot"] is True
    assert rights["runAsUser"] == rights["fsGroup"] == 65532


def test_a_default_storage_class_is_taken_and_no_volume_of_ours_is_made(view: PoolView) -> None:
    (claim,) = stateful_set(view)["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert not list(volume.build(view))


@pytest.mark.fields("DataStorePool", "spec.storage.storageClassName")
def test_a_class_that_is_asked_for_wins_over_the_default() -> None:
    view = pool_view({"storage": {"storageClassName": "slow"}})
    (claim,) = stateful_set(view)["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "slow"


def test_a_storage_class_that_comes_later_moves_nothing() -> None:
    alone = applied(pool_view(classes=(), nodes=(node("one"),)))
    later = applied(replace(alone, classes=pool_view().classes, nodes=()))
    assert later.seen == alone.seen


def test_without_a_storage_class_the_data_lies_on_one_node_and_pods_go_there() -> None:
    view = applied(pool_view(classes=(), nodes=(node("two"), node("one"))))
    live = view.seen.get(kinds.PERSISTENT_VOLUME, "kamaji-system-default-etcd-0")
    assert live is not None
    path = f"/var/lib/kamaji/default-{view.pool.metadata.uid}/default-etcd-0"
    assert live["spec"]["hostPath"] == {"path": path, "type": "DirectoryOrCreate"}
    assert live["spec"]["claimRef"]["name"] == "data-default-etcd-0"
    assert live["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert volume.host_of(view, "default-etcd-0") == "one.example"
    (claim,) = stateful_set(view)["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == ""


def test_on_a_node_etcd_is_root_without_any_capability() -> None:
    view = pool_view(classes=(), nodes=(node("one"),))
    assert stateful_set(view)["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 0
    rights = container(view)["securityContext"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert rights["allowPrivilegeEscalation"] is False


def test_a_node_once_chosen_stays_whatever_becomes_of_it() -> None:
    view = applied(pool_view(classes=(), nodes=(node("two"),)))
    again = applied(replace(view, nodes=(node("one"), node("two", ready=False))))
    assert volume.host_of(again, "default-etcd-0") == "two.example"


def test_workers_are_taken_before_control_plane_nodes() -> None:
    plane = node("a", taints=("node-role.kubernetes.io/control-plane",))
    view = applied(pool_view(classes=(), nodes=(plane, node("b"))))
    assert volume.host_of(view, "default-etcd-0") == "b.example"
    alone = applied(pool_view(classes=(), nodes=(plane,)))
    assert volume.host_of(alone, "default-etcd-0") == "a.example"


@pytest.mark.parametrize(
    "nodes",
    [(), (node("a", ready=False),), (node("a", unschedulable=True),), (node("a", taints=("dedicated",)),)],
    ids=["none", "not ready", "cordoned", "tainted"],
)
def test_without_a_usable_node_the_pool_waits_and_says_so(nodes: tuple[Manifest, ...]) -> None:
    with pytest.raises(NotReady, match="NoNode"):
        list(volume.build(pool_view(classes=(), nodes=nodes)))


def test_deleting_the_stateful_set_by_hand_keeps_the_claims(view: PoolView) -> None:
    kept = stateful_set(view)["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert kept == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_only_members_reach_the_peer_port(view: PoolView) -> None:
    rules = said(view, "NetworkPolicy", "default-etcd")["spec"]["ingress"]
    (peer,) = [each for each in rules if each["ports"][0]["port"] == 2380]
    assert peer["from"] == [
        {"podSelector": {"matchLabels": stateful_set(view)["spec"]["selector"]["matchLabels"]}},
    ]
    assert {each["ports"][0]["port"] for each in rules} == {2379, 2380}


def tenant(name: str, namespace: str, storage: dict[str, Any]) -> Manifest:
    return {"metadata": {"name": name, "namespace": namespace}, "status": {"storage": storage}}


@pytest.mark.keeps("better.closed-stores")
def test_only_control_planes_that_have_something_in_it_and_the_provider_reach_a_store(view: PoolView) -> None:
    tenants = [
        tenant("b", "two", {"dataStoreName": "default"}),
        tenant("c", "one", {"dataStoreName": "other"}),
        tenant("d", "one", {"dataStoreName": "other", "migration": {"source": "other", "target": "default"}}),
        tenant("e", "one", {"dataStoreName": "default", "migration": {"source": "default", "target": "other"}}),
        tenant("f", "three", {}),
    ]
    tenants[4]["metadata"]["finalizers"] = ["datastore.x.kamaji.clastix.io/default"]
    view = replace(view, guests=guests(tenants, "default"))
    (clients,) = [
        each
        for each in said(view, "NetworkPolicy", "default-etcd")["spec"]["ingress"]
        if each["ports"][0]["port"] == 2379
    ]
    ours, *found = clients["from"]
    assert ours == {
        "podSelector": {"matchExpressions": [{"key": "kamaji.clastix.io/name", "operator": "DoesNotExist"}]}
    }
    named = {
        each["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]: each["podSelector"]["matchExpressions"]
        for each in found
    }
    assert {where: expression["values"] for where, (expression,) in named.items()} == {
        "one": ["d", "e"],
        "three": ["f"],
        "two": ["b"],
    }


def test_the_datastore_refers_to_secrets_that_exist(view: PoolView) -> None:
    view = applied(view)
    (offered,) = store.build(view)
    assert offered["metadata"]["name"] == "default"
    assert offered["spec"]["endpoints"] == ["default-etcd.kamaji-system.svc:2379"]
    tls = offered["spec"]["tlsConfig"]
    for each in (*tls["certificateAuthority"].values(), *tls["clientCertificate"].values()):
        reference = each["secretReference"]
        assert reference["namespace"] == NAMESPACE
        assert view.secret(reference["name"])[reference["keyPath"]]


def test_the_store_is_not_among_the_parts_that_are_always_said() -> None:
    before = ["network", "authorities", "certificates", "volume", "configuration", "disruption"]
    assert [name for name, _ in PARTS] == [*before, "snapshot", "members"]
