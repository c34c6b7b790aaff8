"""The pass over a tenant, whole: a real management API server with RBAC, a real etcd with auth, a real API server inside.

No controllers run: `tenant_pod` does what the Deployment controller and the kubelet would. Every pass has the rights of
config/rbac/hosting.yaml and no others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from lab.servers import Authority, Etcd, free_port
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.errors import Forbidden, Unreachable
from provider.hosting.observe import tenant as observe
from provider.hosting.reconcile import pacing, storage
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.reconcile.pacing import LET_IN
from provider.hosting.reconcile.tenant import STORAGE_CHECK
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from provider.manifest import x509 as words
from provider.manifest.x509 import Pair
from tests.integration.power import PowerCut, lasting, severed_after
from tests.integration.tenant_pod import TenantPod
from tests.integration.tenant_world import MANAGER, Store, TenantWorld, key, versions_inside
from tests.unit.provider.manifest import brought

LEAVES = {  # Secret → keys that hold certificates of the tenant's own CA
    names.api_server_secret: "apiserver.crt",
    names.kubelet_client_secret: "apiserver-kubelet-client.crt",
}
KUBECONFIGS = (
    names.admin_kubeconfig_secret,
    names.controller_manager_kubeconfig_secret,
    names.scheduler_kubeconfig_secret,
)
REMADE = (
    *LEAVES,
    *KUBECONFIGS,
    names.front_proxy_client_secret,
    names.datastore_certificate_secret,
    names.datastore_config_secret,
)
KEPT = (names.ca_secret, names.front_proxy_ca_secret, names.service_account_secret)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Etcd, Authority]]:
    """The store of most tenants here."""
    authority = Authority()
    etcd = Etcd(tmp_path_factory.mktemp("shared"), authority=authority).start()
    yield etcd, authority
    etcd.stop()


@pytest.fixture
async def store(hosting: TenantWorld, shared: tuple[Etcd, Authority]) -> Store:
    offered = await hosting.offer("shared", *shared)
    hosting.dialled.clear()
    return offered


@dataclass
class Home:
    """A tenant whose API server runs, and is Ready."""

    tenant: Manifest
    pod: TenantPod


@pytest.fixture(scope="module")
def homes() -> Iterator[dict[str, Home]]:
    """The one that several tests share; it ends with the module."""
    found: dict[str, Home] = {}
    yield found
    for each in found.values():
        each.pod.stop()


@pytest.fixture
async def home(
    hosting: TenantWorld,
    store: Store,
    homes: dict[str, Home],
    namespace: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Home:
    if not homes:
        tenant = await hosting.ask_for("home", namespace, store, networkProfile={"port": free_port()})
        pod = TenantPod(hosting.admin, namespace, "home", tmp_path_factory.mktemp("home"))
        await hosting.passed(tenant)
        await pod.schedule()
        await pod.start()
        homes["home"] = Home(tenant, pod)
    found = homes["home"]
    found.pod.cluster = hosting.admin
    await found.pod.answers()
    await hosting.passed(found.tenant)
    assert (await hosting.condition(found.tenant, "Ready"))[0] == "True"
    hosting.dialled.clear()
    return found


async def keys_put(store: Store, schema: str, count: int = 3) -> None:
    """What an API server would have written."""
    async with await store.wire() as wire:
        for number in range(count):
            await wire.kv.put(f"/{schema}/{number}", b"value")


async def standing(store: Store, schema: str, user: str = "") -> tuple[bool, bool, int]:
    """Whether the role exists, whether the user does, and how many keys there are."""
    async with store.root() as opened:
        return (
            schema in await opened.roles(),
            (user or schema) in await opened.users(),
            await opened.count(schema),
        )


GONE = (False, False, 0)


async def certificates(hosting: TenantWorld, tenant: Manifest) -> dict[str, bytes]:
    """The CA, and everything that it signed, by Secret."""
    name = tenant["metadata"]["name"]
    found = {"": (await hosting.secret(tenant, names.ca_secret(name))).get("ca.crt", b"")}
    for secret, entry in LEAVES.items():
        found[secret(name)] = (await hosting.secret(tenant, secret(name)))[entry]
    return found


def signed(certificate: bytes, authority: bytes) -> bool:
    try:
        issuer = x509.load_pem_x509_certificate(authority)
        x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(issuer)
    except Exception:
        return False
    return True


# Birth


async def test_from_asked_for_to_ready(hosting: TenantWorld, store: Store, namespace: str, tmp_path: Path) -> None:
    tenant = await hosting.ask_for("one", namespace, store, networkProfile={"port": free_port()})
    pod = TenantPod(hosting.admin, namespace, "one", tmp_path)
    try:
        async with hosting.started() as tenant_pass:
            await tenant_pass(key(tenant))
            for each in ("Accepted", "EndpointReady", "CertificatesReady", "StorageReady"):
                assert (await hosting.condition(tenant, each))[0] == "True", each
            assert (await hosting.condition(tenant, "Ready"))[:2] == ("False", "PodsStarting")
            await pod.schedule()
            await tenant_pass(key(tenant))
            assert (await hosting.condition(tenant, "Joinable"))[:2] == ("False", "ApiServerStarting")
            await pod.start()
            await tenant_pass(key(tenant))
            status = (await hosting.now(tenant))["status"]
            assert {each["status"] for each in status["conditions"]} == {"True"}
            assert status["kubernetesResources"]["version"] == {"status": "Ready", "version": "v1.36.3"}
        async with hosting.inside(tenant, "admin.svc") as session:
            assert await session.get(kinds.CONFIG_MAP, "cluster-info", "kube-public")
        assert (await standing(store, tenant["metadata"]["uid"]))[2] > 100
        async with store.root() as opened:
            assert await opened.keyspaces() >= {tenant["metadata"]["uid"]}
    finally:
        pod.stop()


async def test_one_that_answers_before_the_kubelet_tells_is_made_joinable_at_once(
    hosting: TenantWorld, store: Store, namespace: str, tmp_path: Path
) -> None:
    tenant = await hosting.ask_for("early", namespace, store, networkProfile={"port": free_port()})
    pod = TenantPod(hosting.admin, namespace, "early", tmp_path)
    hosting.woken.clear()
    try:
        async with hosting.started() as tenant_pass:
            await tenant_pass(key(tenant))
            service = await hosting.look(kinds.SERVICE, tenant)
            assert service and service["spec"]["publishNotReadyAddresses"], "who asks early is let through"
            await pod.schedule()
            await pod.say_running()
            await tenant_pass(key(tenant))  # from now on it knocks
            assert (await hosting.condition(tenant, "Joinable"))[:2] == ("False", "ApiServerStarting")
            await pod.run()
            async with asyncio.timeout(90):
                while key(tenant) not in hosting.woken:
                    await asyncio.sleep(0.05)
            await tenant_pass(key(tenant))
            assert (await hosting.condition(tenant, "Joinable"))[0] == "True"
            assert (await hosting.condition(tenant, "Ready"))[:2] == ("False", "PodsStarting")
            await pod.say_ready()
            await tenant_pass(key(tenant))
            service = await hosting.look(kinds.SERVICE, tenant)
            assert service and not service["spec"].get("publishNotReadyAddresses"), "now only who is ready is asked"
            assert (await hosting.condition(tenant, "Ready"))[0] == "True"
    finally:
        pod.stop()


async def test_the_provider_may_do_what_its_file_says_and_no_more(hosting: TenantWorld) -> None:
    for kind in (kinds.CLUSTER_ROLE, kinds.LEASE, kinds.ROLE):
        with pytest.raises(Forbidden):
            await hosting.provider.list(kind)


@pytest.mark.keeps("better.one-revision", "better.workers")
async def test_when_all_is_well_then_no_pass_writes_anything_anywhere(hosting: TenantWorld, home: Home) -> None:
    async with hosting.inside(home.tenant) as session, hosting.started() as tenant_pass:
        await tenant_pass(key(home.tenant))
        before, inside = await hosting.versions(home.tenant), await versions_inside(session)
        with lasting(0) as power:  # any write would raise
            await tenant_pass(key(home.tenant))
            await tenant_pass(key(home.tenant))
            await hosting.passed(home.tenant)
        assert power.sent == []
        assert await hosting.versions(home.tenant) == before
        assert await versions_inside(session) == inside
        assert len(inside) > 20


# A place in the store


async def test_a_fresh_tenant_is_let_in_as_root_and_proven_as_itself_and_then_left_alone(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("proven", namespace, store)
    uid = tenant["metadata"]["uid"]
    async with hosting.started() as tenant_pass:
        await tenant_pass(key(tenant))
        assert hosting.dialled == ["root", uid]
        await tenant_pass(key(tenant))
        assert hosting.dialled == ["root", uid]
        hosting.later = storage.PROOF_AGE + timedelta(seconds=1)
        await tenant_pass(key(tenant))
        await tenant_pass(key(tenant))
        assert hosting.dialled == ["root", uid, uid]
    await hosting.passed(tenant)
    assert hosting.dialled == ["root", uid, uid, uid]


async def test_a_certificate_that_is_made_anew_is_proven_anew(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("renewed", namespace, store)
    secret = names.datastore_certificate_secret("renewed")
    async with hosting.started() as tenant_pass:
        await tenant_pass(key(tenant))
        before = await hosting.secret(tenant, secret)
        rotate = {"metadata": {"annotations": {names.ANNOTATION_ROTATE: ""}}}
        await hosting.admin.merge(kinds.SECRET, secret, namespace, rotate, manager=MANAGER)
        hosting.dialled.clear()
        await tenant_pass(key(tenant))
    assert (await hosting.secret(tenant, secret))["server.crt"] != before["server.crt"]
    assert hosting.dialled == [tenant["metadata"]["uid"]]


async def test_a_grant_that_somebody_widened_is_narrowed_with_the_next_proof(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("wide", namespace, store)
    uid = tenant["metadata"]["uid"]
    await hosting.passed(tenant)
    async with await store.wire() as wire:
        await wire.auth.role_grant_permission(uid, b"\0", b"\0")
        await hosting.passed(tenant)
        assert len((await wire.auth.role_get(uid)).perm) == 1
    assert (await hosting.condition(tenant, "StorageReady"))[0] == "True"


async def test_where_a_store_keeps_nobody_apart_no_pods_are_made(
    hosting: TenantWorld, frail: Store, namespace: str
) -> None:
    async with await frail.wire() as wire:
        await wire.auth.auth_disable()
    tenant = await hosting.ask_for("apart", namespace, frail)
    assert await hosting.passed(tenant) == STORAGE_CHECK
    for each in ("StorageReady", "Ready"):
        status, reason, message = await hosting.condition(tenant, each)
        assert (status, reason) == ("False", "IsolationBroken")
        assert "auth" in message and frail.name in message
    assert await hosting.look(kinds.DEPLOYMENT, tenant) is None

    async with frail.root() as opened:
        await opened.enable_auth()
    await hosting.passed(tenant)
    assert (await hosting.condition(tenant, "StorageReady"))[0] == "True"
    assert await hosting.look(kinds.DEPLOYMENT, tenant) is not None


async def test_a_store_that_trusts_others_for_clients_than_the_one_who_signs_tenants_is_told(
    hosting: TenantWorld, namespace: str, tmp_path: Path
) -> None:
    authority = Authority()
    etcd = Etcd(tmp_path, authority=authority, clients=Authority()).start()
    try:
        store = await hosting.offer(f"split-{namespace}", etcd, authority)
        tenant = await hosting.ask_for("unknown", namespace, store)
        await hosting.passed(tenant)
        status, reason, message = await hosting.condition(tenant, "Ready")
        assert (status, reason) == ("False", "DataStoreUnreachable")
        assert "tlsConfig.certificateAuthority" in message and "trusted-ca-file" in message
        assert await hosting.look(kinds.DEPLOYMENT, tenant) is None
    finally:
        etcd.stop()


@pytest.mark.fields("TenantControlPlane", "spec.dataStore", "spec.dataStoreSchema", "spec.dataStoreUsername")
async def test_its_state_lies_where_and_under_the_names_that_the_user_wrote(
    hosting: TenantWorld, store: Store, frail: Store, namespace: str
) -> None:
    schema, user = f"schema-{namespace}", f"user-{namespace}"
    tenant = await hosting.ask_for("named", namespace, frail, dataStoreSchema=schema, dataStoreUsername=user)
    await hosting.passed(tenant)
    assert (await hosting.condition(tenant, "StorageReady"))[0] == "True"
    assert await hosting.keyspace(tenant) == {"schema": schema, "user": user}
    assert (await hosting.now(tenant))["status"]["storage"]["dataStoreName"] == frail.name
    assert await standing(frail, schema, user) == (True, True, 0)
    assert await standing(store, schema, user) == GONE
    pem = (await hosting.secret(tenant, names.datastore_certificate_secret("named")))["server.crt"]
    assert x509.load_pem_x509_certificate(pem).subject.rfc4514_string() == f"CN={user}"


async def test_of_many_new_ones_each_is_let_into_the_store_at_its_turn_and_told_while_it_waits(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    """Each that is let in changes users and roles, for which every neighbour's reads wait (decision 0036)."""
    crowd = [await hosting.ask_for(f"crowd-{number}", namespace, store) for number in range(pacing.AT_ONCE + 2)]
    async with hosting.started() as tenant_pass:
        tenant_pass.storage.turns = pacing.Turns(monotonic=lambda: now[0])
        now = [100.0]
        again = [await tenant_pass(key(each)) for each in crowd]
        last = crowd[-1]
        told = await hosting.condition(last, "StorageReady")
        assert told[:2] == ("False", "WaitingForTurn")
        assert store.name in told[2]
        assert await hosting.keyspace(last) == {}
        assert again[-1] == pytest.approx(pacing.LET_IN)
        let_in = [(await hosting.condition(each, "StorageReady"))[0] for each in crowd[: pacing.AT_ONCE]]
        assert let_in == ["True"] * pacing.AT_ONCE
        now[0] += 2 * pacing.LET_IN
        await tenant_pass(key(last))
        assert (await hosting.condition(last, "StorageReady"))[0] == "True"


@pytest.mark.keeps("better.shared-schema")
async def test_of_two_that_want_one_schema_one_gets_it_and_the_other_hears_who_has_it(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    rivals = [await hosting.ask_for(each, namespace, store, dataStoreSchema="wanted") for each in ("left", "right")]
    async with hosting.started() as tenant_pass:
        await asyncio.gather(*(tenant_pass(key(each)) for each in rivals))
        verdicts = {each["metadata"]["name"]: await hosting.condition(each, "StorageReady") for each in rivals}
        (winner,) = [each for each in rivals if verdicts[each["metadata"]["name"]][0] == "True"]
        (loser,) = [each for each in rivals if each is not winner]
        status, reason, message = verdicts[loser["metadata"]["name"]]
        assert (status, reason) == ("False", "KeyspaceTaken")
        assert f"{namespace}/{winner['metadata']['name']}" in message
        assert await hosting.keyspace(loser) == {}
        assert await hosting.look(kinds.DEPLOYMENT, loser) is None
        certificate = names.datastore_certificate_secret(loser["metadata"]["name"])
        assert await hosting.look(kinds.SECRET, loser, certificate) is None
        late = await hosting.ask_for("late", namespace, store, dataStoreSchema="wanted")
        await tenant_pass(key(late))
        assert f"{namespace}/{winner['metadata']['name']}" in (await hosting.condition(late, "StorageReady"))[2]

        await keys_put(store, "wanted")
        await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, loser["metadata"]["name"], namespace)
        await tenant_pass(key(loser))
        assert await hosting.look(kinds.TENANT_CONTROL_PLANE, loser) is None
        assert (await standing(store, "wanted", winner["metadata"]["uid"])) == (True, True, 3)


@pytest.mark.keeps("better.shared-schema")
@pytest.mark.parametrize("recorded", [False, True], ids=["refused", "recorded by an earlier release"])
async def test_what_a_store_holds_of_another_management_cluster_is_neither_given_nor_erased(
    hosting: TenantWorld, store: Store, namespace: str, recorded: bool
) -> None:
    schema = f"foreign-{namespace}"
    async with store.root() as opened:
        await opened.ensure(Keyspace(schema=schema, user="foreigner"))
        await keys_put(store, schema)
        tenant = await hosting.ask_for("greedy", namespace, store, dataStoreSchema=schema, dataStoreUsername="greedy")
        if recorded:
            setup = {"schema": schema, "user": "greedy"}
            claim = {"status": {"storage": {"dataStoreName": store.name, "driver": "etcd", "setup": setup}}}
            held = {"metadata": {"finalizers": [names.FINALIZER_TENANT]}}
            kind, where = kinds.TENANT_CONTROL_PLANE, ("greedy", namespace)
            await hosting.admin.merge(kind, *where, claim, subresource="status", manager=MANAGER)
            await hosting.admin.merge(kind, *where, held, manager=MANAGER)
        await hosting.passed(tenant)
        assert (await hosting.condition(tenant, "Ready"))[:2] == ("False", "KeyspaceTaken")
        assert await hosting.look(kinds.SECRET, tenant, names.datastore_certificate_secret("greedy")) is None
        await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, "greedy", namespace)
        await hosting.passed(tenant)
        assert await hosting.look(kinds.TENANT_CONTROL_PLANE, tenant) is None
        assert await standing(store, schema, "foreigner") == (True, True, 3)
        await opened.drop(Keyspace(schema=schema, user="foreigner"))


async def test_keys_that_no_tenant_put_are_not_given_away(hosting: TenantWorld, store: Store, namespace: str) -> None:
    schema = f"registry-{namespace}"
    await keys_put(store, schema)
    tenant = await hosting.ask_for("claims", namespace, store, dataStoreSchema=schema)
    await hosting.passed(tenant)
    status, reason, message = await hosting.condition(tenant, "Ready")
    assert (status, reason) == ("False", "KeyspaceTaken")
    assert "dataStoreSchema" in message
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, "claims", namespace)
    assert await hosting.look(kinds.TENANT_CONTROL_PLANE, tenant) is None
    assert await standing(store, schema) == (False, False, 3)


ELSEWHERE = {
    "DataStoreNotFound": None,
    "DriverCannotMove": {"driver": "NATS", "endpoints": ["192.0.2.1:4222"], "basicAuth": {}},
    "DataStoreNotReady": {"driver": "etcd", "endpoints": ["192.0.2.1:2379"]},
}


@pytest.mark.keeps("better.another-driver")
@pytest.mark.parametrize("reason", ELSEWHERE)
async def test_a_datastore_to_which_a_tenant_cannot_move_is_told_and_the_tenant_serves_on(
    hosting: TenantWorld, store: Store, namespace: str, reason: str
) -> None:
    tenant = await hosting.ask_for("stays", namespace, store)
    uid, name = tenant["metadata"]["uid"], f"elsewhere-{reason.lower()}"
    await hosting.passed(tenant)
    await keys_put(store, uid)
    before = await hosting.look(kinds.DEPLOYMENT, tenant)
    if spec := ELSEWHERE[reason]:
        known = await hosting.admin.get(kinds.DATA_STORE, store.name)
        assert known is not None
        basic = {each: {"content": "eA=="} for each in ("username", "password")}
        beside = {"basicAuth": basic} if "basicAuth" in spec else {"tlsConfig": known["spec"]["tlsConfig"]}
        await hosting.admin.apply(meta.new(kinds.DATA_STORE, name, spec=spec | beside), manager=MANAGER)
    await hosting.ask_for("stays", namespace, replace(store, name=name))
    await hosting.passed(tenant)
    status, said, message = await hosting.condition(tenant, "Migrated")
    assert (status, said) == ("False", reason)
    assert name in message
    assert (await hosting.condition(tenant, "StorageReady"))[0] == "True"
    assert (await hosting.condition(tenant, "Stalled"))[0] == ("True" if reason == "DriverCannotMove" else "")
    assert await hosting.look(kinds.DEPLOYMENT, tenant) == before
    assert (await hosting.now(tenant))["status"]["storage"]["dataStoreName"] == store.name
    assert await standing(store, uid) == (True, True, 3)
    await hosting.ask_for("stays", namespace, store)
    await hosting.passed(tenant)
    assert (await hosting.condition(tenant, "Migrated"))[0] == ""


# What the user writes, and takes out again


@pytest.mark.keeps("better.flags-taken-out")
async def test_what_the_user_takes_out_of_the_spec_leaves_the_pods(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    bare = {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 1}}
    pods = {
        "replicas": 1,
        "extraArgs": {each: ["--v=4"] for each in ("apiServer", "controllerManager", "scheduler")},
        "additionalContainers": [{"name": "log", "image": "example.com/log:1"}],
        "additionalInitContainers": [{"name": "first", "image": "example.com/first:1"}],
        "additionalVolumes": [{"name": "scratch", "emptyDir": {}}],
        "additionalVolumeMounts": {"apiServer": [{"name": "scratch", "mountPath": "/scratch"}]},
        "nodeSelector": {"pool": "a"},
        "podAdditionalMetadata": {"labels": {"team": "a"}, "annotations": {"team": "a"}},
    }
    tenant = await hosting.ask_for("sheds", namespace, store, controlPlane=bare)
    templates = []
    for deployment in (bare["deployment"], pods, bare["deployment"]):
        await hosting.ask_for("sheds", namespace, store, controlPlane={**bare, "deployment": deployment})
        await hosting.passed(tenant)
        found = await hosting.look(kinds.DEPLOYMENT, tenant)
        assert found is not None
        templates.append(found["spec"]["template"])
    first, full, last = templates
    assert full != first
    assert last == first


@pytest.mark.keeps("better.one-revision")
@pytest.mark.parametrize(
    ("kind", "port", "tunnel"), [("ClusterIP", 6443, 8132), ("NodePort", 31987, 31988), ("LoadBalancer", 6443, 8132)]
)
async def test_a_tenant_is_born_in_one_revision_of_its_pods_and_then_nothing_is_written(
    hosting: TenantWorld, store: Store, namespace: str, kind: str, port: int, tunnel: int
) -> None:
    ports = [{"name": "metrics", "port": 9090, "targetPort": 9090}]
    plane = {"service": {"serviceType": kind, "additionalPorts": ports}, "deployment": {"replicas": 1}}
    network = {"address": "192.0.2.9", "port": port}
    addons = {"konnectivity": {"server": {"port": tunnel}}}
    spec = {"controlPlane": plane, "networkProfile": network, "addons": addons}
    tenant = await hosting.ask_for("born", namespace, store, **spec)
    async with hosting.started() as tenant_pass:
        await tenant_pass(key(tenant))
        before = await hosting.versions(tenant)
        with lasting(0):
            await tenant_pass(key(tenant))
    assert await hosting.versions(tenant) == before
    deployment = await hosting.look(kinds.DEPLOYMENT, tenant)
    assert deployment is not None
    assert deployment["metadata"]["generation"] == 1


@pytest.mark.keeps("better.other-writers", "rules.defaults")
async def test_nothing_of_ours_is_written_into_a_spec(hosting: TenantWorld, home: Home) -> None:
    now = await hosting.now(home.tenant)
    owners = {each["manager"]: each.get("subresource", "") for each in now["metadata"]["managedFields"]}
    of_spec = {each["manager"] for each in now["metadata"]["managedFields"] if "f:spec" in each["fieldsV1"]}
    assert of_spec == {MANAGER}
    assert owners[names.HOSTING_STATUS_MANAGER] == "status"


# Drift


async def test_secrets_that_were_deleted_come_back_under_the_same_authorities(hosting: TenantWorld, home: Home) -> None:
    kept = {each("home"): await hosting.secret(home.tenant, each("home")) for each in KEPT}
    before = {each("home"): await hosting.secret(home.tenant, each("home")) for each in REMADE}
    namespace = home.tenant["metadata"]["namespace"]
    for each in before:
        await hosting.admin.delete(kinds.SECRET, each, namespace)
    await hosting.passed(home.tenant)

    assert {each("home"): await hosting.secret(home.tenant, each("home")) for each in KEPT} == kept
    for each, content in before.items():
        now = await hosting.secret(home.tenant, each)
        assert now.keys() == content.keys()
        assert now != content
    authority, *leaves = (await certificates(hosting, home.tenant)).values()
    assert all(signed(each, authority) for each in leaves)
    await home.pod.answers()
    await hosting.passed(home.tenant)
    assert (await hosting.condition(home.tenant, "Ready"))[0] == "True"
    async with hosting.inside(home.tenant) as session:
        assert await session.text("/readyz") == "ok"


NOW = datetime.now(UTC)
WHOLE = ("True", "CertificatesReady")


def laid(pair: Pair) -> dict[str, str]:
    """In the place of the authority and of its copy."""
    halves = {"ca.crt": pair.certificate, "ca.key": pair.key, "tls.crt": pair.certificate, "tls.key": pair.key}
    return meta.secret_data(halves)


@pytest.mark.parametrize(
    ("hand", "told"),
    [
        ({"ca.key": None}, WHOLE),  # its copy is there
        ({"ca.crt": None, "tls.crt": None}, WHOLE),  # it is remembered, and told by its key
        ({"ca.key": None, "tls.key": None}, ("False", "AuthorityIncomplete")),
        (meta.secret_data({"ca.key": Authority().pair.key}), ("False", "AuthorityUnusable")),
        (laid(brought.authority(NOW, life=timedelta(days=-1))), ("False", "AuthorityUnusable")),
        (laid(brought.of_ed25519(NOW)), ("False", "AuthorityUnusable")),
        (laid(words.authority("brought", RandomMint(), NOW + timedelta(days=1))), ("False", "AuthorityNotYetValid")),
    ],
    ids=["key", "certificate", "key and its copy", "another key", "expired", "of a kind", "of a clock ahead"],
)
async def test_an_authority_that_somebody_broke_is_mended_or_told_and_the_tenant_serves_on(
    hosting: TenantWorld, home: Home, hand: dict[str, str | None], told: tuple[str, str]
) -> None:
    namespace, name = home.tenant["metadata"]["namespace"], names.ca_secret("home")
    whole = await hosting.look(kinds.SECRET, home.tenant, name)
    deployed = await hosting.look(kinds.DEPLOYMENT, home.tenant)
    assert whole is not None
    assert deployed is not None
    for data, expected in ((hand, told), (whole["data"], WHOLE)):
        await hosting.admin.merge(kinds.SECRET, name, namespace, {"data": data}, manager=MANAGER)
        await hosting.passed(home.tenant)
        state, reason, message = await hosting.condition(home.tenant, "CertificatesReady")
        assert (state, reason) == expected
        assert state == "True" or f"Secret {namespace}/{name}" in message
        async with hosting.inside(home.tenant) as session:
            assert await session.get(kinds.NAMESPACE, "kube-system") is not None
        after = await hosting.look(kinds.DEPLOYMENT, home.tenant)
        assert after is not None
        assert after["spec"]["template"] == deployed["spec"]["template"]
        assert expected != WHOLE or await hosting.secret(home.tenant, name) == meta.decoded(whole)


async def test_an_authority_of_which_nothing_is_left_is_made_anew_and_all_that_it_signs_with_it(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("anew", namespace, store)
    await hosting.passed(tenant)
    before, *_ = (await certificates(hosting, tenant)).values()
    for each in (names.ca_secret("anew"), names.trusted_keys_secret("anew")):
        await hosting.admin.delete(kinds.SECRET, each, namespace)
    await hosting.passed(tenant)
    authority, *leaves = (await certificates(hosting, tenant)).values()
    assert authority != before
    assert all(signed(each, authority) for each in leaves)


DRIFT: dict[str, tuple[Kind, str, str, dict[str, Any] | None]] = {
    "a kubelet's configuration": (kinds.CONFIG_MAP, "kubelet-config", "kube-system", {"data": {"kubelet": "kind: x"}}),
    "who may read it": (kinds.ROLE_BINDING, "kubeadm:kubelet-config", "kube-system", None),
    "who may join": (kinds.CLUSTER_ROLE_BINDING, "kubeadm:kubelet-bootstrap", "", None),
    "who administers": (kinds.CLUSTER_ROLE_BINDING, "kubeadm:cluster-admins", "", {"subjects": []}),
    "where the cluster is": (kinds.CONFIG_MAP, "cluster-info", "kube-public", None),
    "names": (
        kinds.DEPLOYMENT,
        "coredns",
        "kube-system",
        {"spec": {"template": {"spec": {"dnsPolicy": "ClusterFirst"}}}},
    ),
    "the address of names": (kinds.SERVICE, "kube-dns", "kube-system", None),
    "Services": (kinds.DAEMON_SET, "kube-proxy", "kube-system", None),
}


async def test_what_somebody_changes_inside_is_put_right_and_the_rest_left_alone(
    hosting: TenantWorld, home: Home
) -> None:
    async with hosting.inside(home.tenant) as session:
        said = {each: _said((await observe.inside(session)).objects[each]) for each in map(_place, DRIFT.values())}
        before = await versions_inside(session)
        for kind, name, where, change in DRIFT.values():
            if change is None:
                await session.delete(kind, name, where or None)
            else:
                await session.merge(kind, name, where or None, change, manager=MANAGER)
        await hosting.passed(home.tenant)
        objects = (await observe.inside(session)).objects
        assert {each: _said(objects[each]) for each in said} == said
        moved = {each for each, version in (await versions_inside(session)).items() if version != before[each]}
        assert moved == {"/".join([kind, where, name]) for kind, where, name in said}
    assert (await hosting.condition(home.tenant, "Ready"))[0] == "True"


@pytest.mark.keeps("better.cluster-info")
async def test_signatures_for_joining_stay_when_cluster_info_is_put_right(hosting: TenantWorld, home: Home) -> None:
    where = (kinds.CONFIG_MAP, "cluster-info", "kube-public")
    async with hosting.inside(home.tenant) as session:
        stood = await session.get(*where)
        assert stood is not None
        await session.merge(*where, {"data": {"jws-kubeconfig-abcdef": "signature"}}, manager="signer")
        signed = await session.get(*where)
        await hosting.passed(home.tenant)
        assert await session.get(*where) == signed
        await session.merge(*where, {"data": {"kubeconfig": "broken"}}, manager=MANAGER)
        await hosting.passed(home.tenant)
        found = await session.get(*where)
        assert found is not None
        assert found["data"] == stood["data"] | {"jws-kubeconfig-abcdef": "signature"}
        await session.merge(*where, {"data": {"jws-kubeconfig-abcdef": None}}, manager="signer")


def _place(drift: tuple[Kind, str, str, Any]) -> tuple[str, str, str]:
    kind, name, where, _ = drift
    return kind.kind, where, name


def _said(manifest: Manifest) -> Manifest:
    """What is wanted of an object, without what the server adds at its making."""
    spec = {key: value for key, value in manifest.get("spec", {}).items() if key not in ("clusterIP", "clusterIPs")}
    rest = {key: value for key, value in manifest.items() if key in ("data", "rules", "subjects", "roleRef")}
    return {**rest, "spec": spec}


@pytest.mark.keeps("better.coredns")
async def test_how_names_are_served_stays_as_the_user_wants_it(hosting: TenantWorld, home: Home) -> None:
    corefile = {"data": {"Corefile": ".:53 {\n    errors\n}\n"}}
    async with hosting.inside(home.tenant) as session:
        await session.merge(kinds.DEPLOYMENT, "coredns", "kube-system", {"spec": {"replicas": 3}}, manager=MANAGER)
        await session.merge(kinds.CONFIG_MAP, "coredns", "kube-system", corefile, manager=MANAGER)
        await hosting.passed(home.tenant)
        deployment = await session.get(kinds.DEPLOYMENT, "coredns", "kube-system")
        said = await session.get(kinds.CONFIG_MAP, "coredns", "kube-system")
    assert deployment is not None and said is not None
    assert deployment["spec"]["replicas"] == 3
    assert said["data"] == corefile["data"]


async def test_what_somebody_changes_beside_the_pods_is_put_right(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("beside", namespace, store)
    await hosting.passed(tenant)
    selector = {"spec": {"selector": {names.LABEL_NAME: "other"}}}
    await hosting.admin.merge(kinds.SERVICE, "beside", namespace, selector, manager=MANAGER)
    await hosting.admin.delete(kinds.DEPLOYMENT, "beside", namespace)
    await hosting.passed(tenant)
    service = await hosting.look(kinds.SERVICE, tenant)
    assert service is not None
    assert service["spec"]["selector"] == {names.LABEL_NAME: "beside"}
    assert await hosting.look(kinds.DEPLOYMENT, tenant) is not None


# The end


async def test_a_deleted_tenant_leaves_nothing_in_its_store_and_its_neighbour_everything(
    hosting: TenantWorld, store: Store, home: Home, namespace: str
) -> None:
    tenant = await hosting.ask_for("leaving", namespace, store)
    uid, neighbour = tenant["metadata"]["uid"], home.tenant["metadata"]["uid"]
    await hosting.passed(tenant)
    await keys_put(store, uid)
    pod = TenantPod(hosting.admin, namespace, "leaving", home.pod.folder / "leaving")
    await pod.schedule()
    *_, before = await standing(store, neighbour)
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, "leaving", namespace)
    async with hosting.started() as tenant_pass:
        assert await tenant_pass(key(tenant)) is not None
        assert await standing(store, uid) == GONE
        status, reason, message = await hosting.condition(tenant, "Ready")
        assert (status, reason) == ("False", "PodsEnding")
        assert "pods" in message
        assert await hosting.look(kinds.DEPLOYMENT, tenant) is None
        await hosting.admin.delete(kinds.POD, "leaving-1", namespace)
        await tenant_pass(key(tenant))
        assert await hosting.look(kinds.TENANT_CONTROL_PLANE, tenant) is None
        assert await tenant_pass(key(tenant)) is None
    has_role, has_user, count = await standing(store, neighbour)
    assert (has_role, has_user) == (True, True)
    assert count > before - 10  # its API server goes on writing events and leases
    async with hosting.inside(home.tenant) as session:
        assert await session.text("/readyz") == "ok"


# Stores that are away


async def test_while_a_store_is_away_a_birth_waits_with_one_reason_and_goes_on_when_it_is_back(
    hosting: TenantWorld, frail: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("waits", namespace, frail)
    frail.etcd.stop()
    async with hosting.started() as tenant_pass:
        assert await tenant_pass(key(tenant)) == STORAGE_CHECK
        for each in ("StorageReady", "Ready"):
            status, reason, message = await hosting.condition(tenant, each)
            assert (status, reason) == ("False", "DataStoreUnreachable")
            assert frail.name in message and frail.etcd.endpoint in message
        assert (await hosting.condition(tenant, "CertificatesReady"))[0] == "True"
        assert (await hosting.condition(tenant, "PodsReady"))[1] == "WaitingForPart"
        assert await hosting.keyspace(tenant) == {}
        assert await hosting.look(kinds.DEPLOYMENT, tenant) is None
        with lasting(0):  # nothing to write while nothing changes
            await tenant_pass(key(tenant))
        frail.etcd.start()
        await tenant_pass(key(tenant))
    assert (await hosting.condition(tenant, "StorageReady"))[0] == "True"
    assert await hosting.look(kinds.DEPLOYMENT, tenant) is not None


async def test_while_a_store_is_away_an_end_waits_with_one_reason_and_goes_on_when_it_is_back(
    hosting: TenantWorld, frail: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("stays", namespace, frail)
    uid = tenant["metadata"]["uid"]
    await hosting.passed(tenant)
    await keys_put(frail, uid)
    frail.etcd.stop()
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, "stays", namespace)
    async with hosting.started() as tenant_pass:
        assert await tenant_pass(key(tenant)) is not None
        status, reason, message = await hosting.condition(tenant, "Ready")
        assert (status, reason) == ("False", "ErasurePending")
        assert frail.name in message and frail.etcd.endpoint in message
        before = await hosting.versions(tenant)
        await tenant_pass(key(tenant))
        assert await hosting.versions(tenant) == before
        frail.etcd.start()
        await tenant_pass(key(tenant))
    assert await hosting.look(kinds.TENANT_CONTROL_PLANE, tenant) is None
    assert await standing(frail, uid) == GONE


# A provider that is killed


async def identity(hosting: TenantWorld, tenant: Manifest) -> dict[str, Any]:
    """What is made once: authorities, and the keyspace."""
    found = {each.__name__: await hosting.secret(tenant, each(tenant["metadata"]["name"])) for each in KEPT}
    return {each: content for each, content in {**found, "keyspace": await hosting.keyspace(tenant)}.items() if content}


async def test_a_birth_that_is_cut_off_at_any_write_goes_on_with_what_was_made(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    born = []
    for writes in range(60):
        tenant = await hosting.ask_for(f"cut-{writes}", namespace, store)
        with lasting(writes) as power, suppress(PowerCut):
            await hosting.passed(tenant)
        begun = await identity(hosting, tenant)
        await hosting.passed(tenant)
        ended = await identity(hosting, tenant)
        assert {each: ended[each] for each in begun} == begun, f"made twice after {power.sent}"
        assert (await hosting.condition(tenant, "Ready"))[:2] == ("False", "PodsStarting"), power.sent
        with lasting(0):  # a third pass has nothing to write
            await hosting.passed(tenant)
        born.append(tenant["metadata"]["uid"])
        if not power.cut:
            break
    assert len(born) > 15
    async with store.root() as opened:
        assert set(born) <= await opened.users()
        assert set(born) <= await opened.roles()


@pytest.mark.nightly
async def test_a_birth_that_loses_its_api_server_at_any_write_goes_on_with_what_was_made(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    async with hosting.started() as tenant_pass:
        for writes in range(60):
            await asyncio.sleep(LET_IN)  # so that none has to wait until it is let into the store
            tenant = await hosting.ask_for(f"lost-{writes}", namespace, store)
            with severed_after(writes) as power, suppress(Unreachable):
                await tenant_pass(key(tenant))
            begun = await identity(hosting, tenant)
            await tenant_pass(key(tenant))
            ended = await identity(hosting, tenant)
            assert {each: ended[each] for each in begun} == begun, f"made twice after {power.sent}"
            assert (await hosting.condition(tenant, "Ready"))[:2] == ("False", "PodsStarting"), power.sent
            if not power.cut:
                break
    assert len(power.sent) > 10


@pytest.mark.nightly
async def test_an_end_that_is_cut_off_at_any_write_goes_on(hosting: TenantWorld, store: Store, namespace: str) -> None:
    neighbour = await hosting.ask_for("stayer", namespace, store)
    await hosting.passed(neighbour)
    await keys_put(store, neighbour["metadata"]["uid"])
    for writes in range(30):
        tenant = await hosting.ask_for(f"end-{writes}", namespace, store)
        await hosting.passed(tenant)
        await keys_put(store, tenant["metadata"]["uid"])
        await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, f"end-{writes}", namespace)
        with lasting(writes) as power, suppress(PowerCut):
            await hosting.passed(tenant)
        await hosting.passed(tenant)
        assert await hosting.look(kinds.TENANT_CONTROL_PLANE, tenant) is None, power.sent
        assert await standing(store, tenant["metadata"]["uid"]) == GONE, power.sent
        if not power.cut:
            break
    assert len(power.sent) > 4
    assert await standing(store, neighbour["metadata"]["uid"]) == (True, True, 3)


async def deleted(cluster: Cluster, manifest: Manifest) -> None:
    metadata = manifest["metadata"]
    await cluster.delete(kinds.of(manifest), metadata["name"], metadata.get("namespace"))


@pytest.mark.nightly
async def test_a_pass_that_is_cut_off_at_any_write_inside_a_tenant_goes_on(hosting: TenantWorld, home: Home) -> None:
    async with hosting.inside(home.tenant) as session:
        before = set(await versions_inside(session))
        for writes in range(60):
            await asyncio.gather(*map(partial(deleted, session), (await observe.inside(session)).objects.values()))
            with lasting(writes) as power, suppress(PowerCut):
                await hosting.passed(home.tenant)
            await hosting.passed(home.tenant)
            assert set(await versions_inside(session)) == before, power.sent
            assert (await hosting.condition(home.tenant, "Ready"))[0] == "True", power.sent
            if not power.cut:
                break
    assert len(power.sent) >= len(before)


@pytest.mark.keeps("better.rollout-budget")
async def test_who_edits_a_mounted_secret_for_ever_does_not_make_the_pods_anew_for_ever(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("edited", namespace, store)
    secret, generations = names.scheduler_kubeconfig_secret("edited"), []
    async with hosting.started() as tenant_pass:
        for _ in range(12):
            await tenant_pass(key(tenant))
            found = await hosting.look(kinds.DEPLOYMENT, tenant)
            assert found is not None
            generations.append(found["metadata"]["generation"])
            junk = meta.new(kinds.SECRET, secret, namespace, data=meta.secret_data({"scheduler.conf": "junk"}))
            await hosting.admin.apply(junk, manager=MANAGER, force=True)
        assert generations == [1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7, 7]
        state, reason, message = await hosting.condition(tenant, "RolloutLoop")
        assert (state, reason) == ("True", "RolloutsStopped")
        assert "[component.kamaji.clastix.io/scheduler-kubeconfig]" in message
        await hosting.admin.merge(
            kinds.TENANT_CONTROL_PLANE,
            "edited",
            namespace,
            {"spec": {"controlPlane": {"deployment": {"podAdditionalMetadata": {"labels": {"a": "b"}}}}}},
            manager=MANAGER,
        )
        await tenant_pass(key(tenant))
        found = await hosting.look(kinds.DEPLOYMENT, tenant)
        assert found is not None
        assert found["spec"]["template"]["metadata"]["labels"]["a"] == "b"
        assert await hosting.condition(tenant, "RolloutLoop") == ("", "", "")
