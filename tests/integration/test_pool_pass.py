"""Pools of ours before a real API server and with a real etcd: made, closed, offered, quiet, refused and cleared away."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds
from provider.hosting.desired.pool import certificates
from provider.hosting.desired.pool.network import CLIENT_PORT, HTTP_PORT, METRICS_PORT
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile import pool as pool_pass
from provider.manifest import meta, x509
from provider.manifest.x509 import Request
from tests.integration.pool_member import PORTS, Member
from tests.integration.pool_world import MANAGER, NAMESPACE, World

READY = "Ready"


@pytest.fixture
def members() -> Iterator[list[Member]]:
    """Members that a test started; they end with it."""
    started: list[Member] = []
    yield started
    for each in started:
        each.stop()


async def made(world: World, name: str, **spec: Any) -> None:
    await world.cluster.apply(meta.new(kinds.DATA_STORE_POOL, name, spec=spec), manager=MANAGER)
    await pool_pass.pool(world.context, name)


async def offered(world: World, name: str, folder: Path, members: list[Member]) -> Member:
    """A pool that is ready, as two more looks at it find."""
    await made(world, name)
    member = await world.serve(name, folder)
    members.append(member)
    await pool_pass.pool(world.context, name)
    await store_pass.datastore(world.context, name)
    await pool_pass.pool(world.context, name)
    return member


async def test_when_a_pool_is_made_then_its_objects_are_taken_and_it_waits_for_its_members(world: World) -> None:
    await made(world, "fresh")
    found = {kind for kind, _ in await world.versions("fresh")}
    assert found == {
        *("DataStorePool", "Secret", "ConfigMap", "Service", "NetworkPolicy", "StatefulSet", "PersistentVolume"),
    }
    assert (await world.condition(kinds.DATA_STORE_POOL, "fresh", READY))[:2] == ("False", "VolumePending")
    assert (await world.condition(kinds.DATA_STORE_POOL, "fresh", "Durable"))[1] == "NodeLocalStorage"


async def test_when_its_member_serves_then_auth_is_on_and_the_store_is_offered(
    world: World, tmp_path: Path, members: list[Member]
) -> None:
    member = await offered(world, "serving", tmp_path, members)
    assert (await world.condition(kinds.DATA_STORE_POOL, "serving", READY))[0] == "True"
    assert (await world.get(kinds.DATA_STORE, "serving"))["status"]["ready"] is True
    async with await world.context.open_store("serving") as store:
        health = await store.health()
    assert health.auth_enabled
    assert member.answers("livez")


@pytest.mark.keeps("better.closed-stores")
async def test_a_tenant_that_is_placed_is_let_in_by_the_policy_also_while_what_the_pool_asks_is_refused(
    world: World, tmp_path: Path, members: list[Member]
) -> None:
    async def named() -> list[Any]:
        policy = await world.get(kinds.NETWORK_POLICY, "gates-etcd")
        clients = next(each for each in policy["spec"]["ingress"] if each["ports"][0]["port"] == 2379)["from"]
        return [each["podSelector"]["matchExpressions"][0]["values"] for each in clients if "namespaceSelector" in each]

    await offered(world, "gates", tmp_path, members)
    assert await named() == []
    await world.tenant_on("gates", "first")
    await pool_pass.pool(world.context, "gates")
    assert await named() == [["first"]]
    jump = {"spec": {"version": "3.9.0"}}
    await world.cluster.merge(kinds.DATA_STORE_POOL, "gates", None, jump, manager=MANAGER)
    await world.tenant_on("gates", "second")
    await pool_pass.pool(world.context, "gates")
    assert (await world.condition(kinds.DATA_STORE_POOL, "gates", "Accepted"))[:2] == ("False", "VersionJump")
    assert await named() == [["first", "second"]]


async def test_until_auth_is_on_no_store_is_offered(world: World, tmp_path: Path, members: list[Member]) -> None:
    await made(world, "closed")
    members.append(await world.serve("closed", tmp_path))
    world.dialled.clear()
    await pool_pass.pool(world.context, "closed")
    assert (await world.condition(kinds.DATA_STORE_POOL, "closed", READY))[:2] == ("False", "Unreachable")
    assert await world.cluster.get(kinds.DATA_STORE, "closed") is None


@pytest.mark.keeps("better.upkeep")
async def test_auth_that_somebody_switched_off_is_told_also_when_the_pools_pass_finds_it_first(
    world: World, tmp_path: Path, members: list[Member]
) -> None:
    await offered(world, "opened", tmp_path, members)
    await world.tenant_on("opened", "exposed")
    async with await world.context.open_store("opened") as store:
        await store.wire.auth.auth_disable()
        await pool_pass.pool(world.context, "opened")
        assert (await store.health()).auth_enabled
    await store_pass.datastore(world.context, "opened")
    status = (await world.get(kinds.DATA_STORE, "opened"))["status"]
    assert status["ready"] is True
    assert status["lastUnguarded"]
    events = await world.cluster.list(kinds.EVENT, "default")
    notes = [
        each["note"] for each in events if each["regarding"]["name"] == "opened" and each["reason"] == "AuthSwitchedOn"
    ]
    assert len(notes) == 1
    assert "default/exposed" in notes[0]


async def test_a_store_that_nobody_was_in_is_closed_without_an_alarm(
    world: World, tmp_path: Path, members: list[Member]
) -> None:
    await offered(world, "empty", tmp_path, members)
    async with await world.context.open_store("empty") as store:
        await store.wire.auth.auth_disable()
        await pool_pass.pool(world.context, "empty")
        assert (await store.health()).auth_enabled
    assert "lastUnguarded" not in (await world.get(kinds.DATA_STORE, "empty"))["status"]


async def test_when_all_is_well_then_a_pass_writes_nothing(world: World, tmp_path: Path, members: list[Member]) -> None:
    await offered(world, "quiet", tmp_path, members)
    before = await world.versions("quiet")
    await pool_pass.pool(world.context, "quiet")
    await store_pass.datastore(world.context, "quiet")
    assert await world.versions("quiet") == before


async def test_when_an_object_is_changed_by_hand_then_it_is_put_right(world: World) -> None:
    await made(world, "drift")
    service = "drift-etcd"
    patch = {"spec": {"selector": {"app": "other"}}}
    await world.cluster.merge(kinds.SERVICE, service, NAMESPACE, patch, manager=MANAGER)
    await world.cluster.delete(kinds.SECRET, "drift-etcd-server", NAMESPACE)
    await pool_pass.pool(world.context, "drift")
    assert (await world.get(kinds.SERVICE, service))["spec"]["selector"]["x.kamaji.clastix.io/pool"] == "drift"
    assert await world.get(kinds.SECRET, "drift-etcd-server")


async def test_while_a_tenant_uses_it_a_pool_stays_and_afterwards_nothing_of_it_remains(
    world: World, tmp_path: Path, members: list[Member]
) -> None:
    await offered(world, "used", tmp_path, members)
    await world.tenant_on("used", "resident")
    await world.cluster.delete(kinds.DATA_STORE_POOL, "used")
    await pool_pass.pool(world.context, "used")
    status, reason, message = await world.condition(kinds.DATA_STORE_POOL, "used", READY)
    assert (status, reason) == ("False", "DataStoreStillUsed")
    assert "default/resident" in message
    assert "deletionTimestamp" not in (await world.get(kinds.DATA_STORE, "used"))["metadata"]

    await world.cluster.delete(kinds.TENANT_CONTROL_PLANE, "resident", "default")
    for _ in range(6):
        await pool_pass.pool(world.context, "used")
        await store_pass.datastore(world.context, "used")
        await world.unprotect("used")
    assert await world.cluster.get(kinds.DATA_STORE_POOL, "used") is None
    assert await world.left("used") == []


async def test_a_name_that_somebody_elses_datastore_has_is_refused(world: World) -> None:
    here = {"content": "eA=="}
    pair = {"certificate": here, "privateKey": here}
    spec = {"driver": "etcd", "endpoints": ["127.0.0.1:1"]}
    spec |= {"tlsConfig": {"certificateAuthority": pair, "clientCertificate": pair}}
    await world.cluster.apply(meta.new(kinds.DATA_STORE, "theirs", spec=spec), manager=MANAGER)
    await made(world, "theirs")
    assert (await world.condition(kinds.DATA_STORE_POOL, "theirs", READY))[1] == "NameTaken"
    assert set(await world.versions("theirs")) == {("DataStorePool", "theirs"), ("DataStore", "theirs")}


async def test_the_default_pool_is_made_once_and_not_beside_a_datastore_of_its_name(world: World) -> None:
    def context(name: str) -> Any:
        return replace(world.context, settings=replace(world.context.settings, default_pool=name))

    await pool_pass.ensure_default_pool(context("first"))
    before = (await world.get(kinds.DATA_STORE_POOL, "first"))["metadata"]
    await pool_pass.ensure_default_pool(context("first"))
    assert (await world.get(kinds.DATA_STORE_POOL, "first"))["metadata"] == before
    here = {"content": "eA=="}
    pair = {"certificate": here, "privateKey": here}
    spec = {"driver": "etcd", "endpoints": ["127.0.0.1:1"]}
    spec |= {"tlsConfig": {"certificateAuthority": pair, "clientCertificate": pair}}
    await world.cluster.apply(meta.new(kinds.DATA_STORE, "brought", spec=spec), manager=MANAGER)
    await pool_pass.ensure_default_pool(context("brought"))
    assert await world.cluster.get(kinds.DATA_STORE_POOL, "brought") is None


@pytest.mark.parametrize(("level", "classes"), [("restricted", True), ("baseline", False)])
async def test_its_pods_are_taken_where_pod_security_is_enforced(world: World, level: str, classes: bool) -> None:
    labels = {"pod-security.kubernetes.io/enforce": level}
    await world.cluster.apply(meta.new(kinds.NAMESPACE, level, labels=labels), manager=MANAGER)
    storage = {"storageClassName": "some"} if classes else {}
    await made(world, f"pod-{level}", storage=storage)
    template = (await world.get(kinds.STATEFUL_SET, f"pod-{level}-etcd"))["spec"]["template"]
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    spec = {**template["spec"], "volumes": [*template["spec"]["volumes"], claim]}
    taken = await world.cluster.apply(meta.new(kinds.POD, "member", level, spec=spec), manager=MANAGER)
    assert taken["metadata"]["uid"]


async def test_a_tenants_certificate_opens_the_client_port_and_not_the_peer_port(
    world: World, tmp_path: Path, members: list[Member]
) -> None:
    member = await offered(world, "doors", tmp_path, members)
    view = await world.view("doors")
    data = view.secret("doors-etcd-ca")
    authority = x509.Pair(certificate=data["ca.crt"], key=data["ca.key"])
    tenant = x509.issue(Request(common_name="tenant", client=True), authority, view.mint, datetime.now(UTC))
    (tmp_path / "tenant.crt").write_bytes(tenant.certificate)
    (tmp_path / "tenant.key").write_bytes(tenant.key)
    assert shown(member, member.ports[0], tmp_path)
    with pytest.raises(ssl.SSLError):
        shown(member, member.ports[1], tmp_path)


async def test_a_renewed_certificate_is_shown_without_a_restart(
    world: World, tmp_path: Path, members: list[Member]
) -> None:
    member = await offered(world, "renewed", tmp_path, members)
    view = await world.view("renewed")
    for key, value in view.secret("renewed-etcd-root-client").items():
        (tmp_path / key.replace("tls", "tenant")).write_bytes(value)
    data = view.secret("renewed-etcd-ca")
    authority = x509.Pair(certificate=data["ca.crt"], key=data["ca.key"])
    # Younger than its backdating: due the moment it is made, valid for a minute.
    short = replace(certificates.server(view), life=timedelta(minutes=1))
    old = x509.issue(short, authority, view.mint, view.now)
    secret = meta.secret_data({"tls.crt": old.certificate, "tls.key": old.key})
    await world.cluster.merge(kinds.SECRET, "renewed-etcd-server", NAMESPACE, {"data": secret}, manager=MANAGER)
    member.mount({"server": {"tls.crt": old.certificate, "tls.key": old.key}})
    before, template = shown(member, member.ports[0], tmp_path), await pod_template(world, "renewed")

    await pool_pass.pool(world.context, "renewed")

    member.mount({"server": (await world.view("renewed")).secret("renewed-etcd-server")})
    assert shown(member, member.ports[0], tmp_path) != before
    assert await pod_template(world, "renewed") == template


@pytest.mark.keeps("better.closed-stores")
async def test_nobody_is_answered_about_keys_over_http_not_even_root_and_metrics_are_where_the_pod_says(
    world: World, tmp_path: Path, members: list[Member]
) -> None:
    """etcd's gateway would ask with the server's own certificate, and so with nobody's rights or everybody's."""
    member = await offered(world, "spoken", tmp_path, members)
    for key, value in (await world.view("spoken")).secret("spoken-etcd-root-client").items():
        (tmp_path / key.replace("tls", "tenant")).write_bytes(value)
    ports = dict(zip(PORTS, member.ports, strict=True))
    assert answered(HTTPSConnection("127.0.0.1", ports[HTTP_PORT], context=showing(tmp_path)), *EVERYTHING)[0] == 404
    assert answered(HTTPConnection("127.0.0.1", ports[METRICS_PORT]), *EVERYTHING)[0] == 404
    with pytest.raises((HTTPException, OSError)):  # gRPC and nothing else
        answered(HTTPSConnection("127.0.0.1", ports[CLIENT_PORT], context=showing(tmp_path)), *EVERYTHING)

    (container,) = (await pod_template(world, "spoken"))["spec"]["containers"]
    told = next(each["containerPort"] for each in container["ports"] if each["name"] == "metrics")
    status, text = answered(HTTPConnection("127.0.0.1", ports[told]), "GET", "/metrics")
    assert (status, "etcd_server_has_leader 1" in text) == (200, True)


EVERYTHING = ("POST", "/v3/kv/range", '{"key": "AA==", "range_end": "AA=="}')  # as etcd's gateway takes it


def answered(connection: HTTPConnection, method: str, path: str, said: str = "") -> tuple[int, str]:
    """Status and words."""
    with contextlib.closing(connection):
        connection.request(method, path, said)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


async def pod_template(world: World, pool: str) -> Any:
    return (await world.get(kinds.STATEFUL_SET, f"{pool}-etcd"))["spec"]["template"]


def shown(member: Member, port: int, folder: Path) -> bytes:
    """The certificate that a member shows to the holder of tenant.crt, who then reads one byte or is sent away."""
    context = showing(folder)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        # TLS 1.3 refuses a client's certificate after the handshake: the first read tells.
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        assert connection.recv(1)
        return connection.getpeercert(binary_form=True) or b""


def showing(folder: Path) -> ssl.SSLContext:
    """As the holder of tenant.crt, who takes any server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(folder / "tenant.crt", folder / "tenant.key")
    return context
