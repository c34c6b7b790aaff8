"""DataStores that somebody brought, before a real API server and with a real etcd: tried, and told what to do about them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.desired.pool.certificates import root
from provider.hosting.observe import datastore as observe
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile import pool as pool_pass
from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import meta, x509
from provider.manifest.x509 import Pair
from tests.integration.pool_member import Member
from tests.integration.pool_world import MANAGER, NAMESPACE, World

CA, ROOT = "lent-etcd-ca", "lent-etcd-root-client"
VALIDATION = "kamaji.clastix.io/DataStoreValidation"
DELETION = "kamaji.clastix.io/DataStoreAllowedDeletion"


@dataclass
class Etcd:
    """A real etcd whose certificates lie in Secrets, with auth on. No DataStore speaks of it yet."""

    world: World
    member: Member
    root: Pair
    authority: Pair


@pytest.fixture
async def etcd(world: World, tmp_path: Path) -> AsyncIterator[Etcd]:
    await world.cluster.apply(meta.new(kinds.DATA_STORE_POOL, "lent", spec={}), manager=MANAGER)
    await pool_pass.pool(world.context, "lent")
    member = await world.serve("lent", tmp_path)
    view = await world.view("lent")
    authority, client = view.secret(CA), view.secret(ROOT)
    found = Etcd(
        world=world,
        member=member,
        root=Pair(certificate=client["tls.crt"], key=client["tls.key"]),
        authority=Pair(certificate=authority["ca.crt"], key=authority["ca.key"]),
    )
    async with EtcdStore([member.endpoint], found.authority.certificate, found.root) as store:
        await store.enable_auth()
    yield found
    member.stop()


def reference(secret: str, key: str) -> dict[str, Any]:
    return {"secretReference": {"name": secret, "namespace": NAMESPACE, "keyPath": key}}


def content(value: bytes) -> dict[str, Any]:
    return {"content": base64.b64encode(value).decode()}


async def brought(world: World, name: str, endpoint: str, **tls: Any) -> str:
    """Make a DataStore and look at it once. `tls` replaces parts of tlsConfig, which refers to the etcd's Secrets."""
    config = {
        "certificateAuthority": {"certificate": reference(CA, "ca.crt"), "privateKey": reference(CA, "ca.key")},
        "clientCertificate": {"certificate": reference(ROOT, "tls.crt"), "privateKey": reference(ROOT, "tls.key")},
    }
    spec = {"driver": "etcd", "endpoints": [endpoint], "tlsConfig": config | tls}
    await world.cluster.apply(meta.new(kinds.DATA_STORE, name, spec=spec), manager=MANAGER)
    await store_pass.datastore(world.context, name)
    return name


async def verdict(world: World, name: str) -> tuple[str, str, str]:
    status = (await world.get(kinds.DATA_STORE, name))["status"]
    found = await world.condition(kinds.DATA_STORE, name, "Ready")
    assert status["ready"] is (found[0] == "True")
    return found


@pytest.mark.keeps("better.store-tried")
async def test_a_store_that_answers_as_it_should_is_ready(etcd: Etcd) -> None:
    name = await brought(etcd.world, "good", etcd.member.endpoint)
    assert (await verdict(etcd.world, name))[:2] == ("True", "Ready")
    assert (await etcd.world.condition(kinds.DATA_STORE, name, VALIDATION))[:2] == ("True", "DataStoreIsValid")
    found = await observe.store(etcd.world.cluster, name)
    assert found is not None
    assert (found.ready, found.client_ca) == (True, etcd.authority)


async def test_a_ready_store_is_looked_at_again_without_a_write(etcd: Etcd) -> None:
    name = await brought(etcd.world, "calm", etcd.member.endpoint)
    before = await etcd.world.get(kinds.DATA_STORE, name)
    again = await store_pass.datastore(etcd.world.context, name)
    assert again is not None
    assert 50 < again < 70
    assert await etcd.world.get(kinds.DATA_STORE, name) == before


async def test_trying_a_store_leaves_no_key_in_it(etcd: Etcd) -> None:
    await brought(etcd.world, "tidy", etcd.member.endpoint)
    async with await etcd.world.context.open_store("tidy") as store:
        assert (await store.health()).size > 0


@pytest.mark.keeps("better.store-tried")
async def test_when_the_store_dies_then_it_is_not_ready_and_when_it_is_back_it_is(etcd: Etcd) -> None:
    name = await brought(etcd.world, "mortal", etcd.member.endpoint)
    etcd.member.stop()
    await store_pass.datastore(etcd.world.context, name)
    status, reason, message = await verdict(etcd.world, name)
    assert (status, reason) == ("False", "Unreachable")
    assert etcd.member.endpoint in message
    etcd.member.start()
    await store_pass.datastore(etcd.world.context, name)
    assert (await verdict(etcd.world, name))[0] == "True"


async def test_a_dead_endpoint_is_named_and_said_once(world: World, etcd: Etcd) -> None:
    name = await brought(world, "dead", "127.0.0.1:1")
    status, reason, message = await verdict(world, name)
    assert (status, reason) == ("False", "Unreachable")
    assert "127.0.0.1:1" in message
    before = await world.get(kinds.DATA_STORE, name)
    await store_pass.datastore(world.context, name)
    assert await world.get(kinds.DATA_STORE, name) == before


async def test_a_client_certificate_of_another_authority_is_told_apart_from_a_dead_store(etcd: Etcd) -> None:
    mint, now = RandomMint(), datetime.now(UTC)
    stranger = x509.issue(root(), x509.authority("other", mint, now), mint, now)
    pair = {"certificate": content(stranger.certificate), "privateKey": content(stranger.key)}
    name = await brought(etcd.world, "stranger", etcd.member.endpoint, clientCertificate=pair)
    assert (await verdict(etcd.world, name))[:2] == ("False", "Untrusted")


async def test_a_server_of_another_authority_is_not_trusted(etcd: Etcd) -> None:
    other = x509.authority("other", RandomMint(), datetime.now(UTC))
    pair = {"certificate": content(other.certificate), "privateKey": content(other.key)}
    name = await brought(etcd.world, "impostor", etcd.member.endpoint, certificateAuthority=pair)
    assert (await verdict(etcd.world, name))[:2] == ("False", "Untrusted")


async def test_a_user_who_is_not_root_is_denied(etcd: Etcd) -> None:
    somebody = x509.Request(common_name="somebody", client=True)
    pair = x509.issue(somebody, etcd.authority, RandomMint(), datetime.now(UTC))
    config = {"certificate": content(pair.certificate), "privateKey": content(pair.key)}
    name = await brought(etcd.world, "lowly", etcd.member.endpoint, clientCertificate=config)
    assert (await verdict(etcd.world, name))[:2] == ("False", "Denied")


async def test_with_auth_off_no_tenant_is_let_in(world: World, tmp_path: Path) -> None:
    await world.cluster.apply(meta.new(kinds.DATA_STORE_POOL, "open", spec={}), manager=MANAGER)
    await pool_pass.pool(world.context, "open")
    member = await world.serve("open", tmp_path)
    try:
        config = {
            "certificateAuthority": {
                "certificate": reference("open-etcd-ca", "ca.crt"),
                "privateKey": reference("open-etcd-ca", "ca.key"),
            },
            "clientCertificate": {
                "certificate": reference("open-etcd-root-client", "tls.crt"),
                "privateKey": reference("open-etcd-root-client", "tls.key"),
            },
        }
        name = await brought(world, "careless", member.endpoint, **config)
        status, reason, message = await verdict(world, name)
        assert (status, reason) == ("False", "AuthDisabled")
        assert "auth enable" in message
    finally:
        member.stop()


@pytest.mark.keeps("better.store-tried")
@pytest.mark.parametrize(
    ("wrong", "reason", "words"),
    [
        (reference("absent", "tls.crt"), "SecretMissing", f"Secret {NAMESPACE}/absent"),
        (reference(ROOT, "nothing"), "SecretKeyMissing", "no key 'nothing'"),
    ],
)
async def test_what_is_missing_is_named(etcd: Etcd, wrong: dict[str, Any], reason: str, words: str) -> None:
    pair = {"certificate": wrong, "privateKey": reference(ROOT, "tls.key")}
    name = await brought(etcd.world, f"lacks-{reason.lower()}", etcd.member.endpoint, clientCertificate=pair)
    status, said, message = await verdict(etcd.world, name)
    assert (status, said) == ("False", reason)
    assert words in message
    validation = await etcd.world.condition(kinds.DATA_STORE, name, VALIDATION)
    assert validation[:2] == ("False", "TLSConfigurationValidationFailed")


async def test_a_used_store_says_by_whom_and_stays_until_they_are_gone(etcd: Etcd) -> None:
    world, name = etcd.world, await brought(etcd.world, "home", etcd.member.endpoint)
    await world.tenant_on(name, "b-tenant")
    await world.tenant_on(name, "a-tenant")
    await store_pass.datastore(world.context, name)
    assert (await world.get(kinds.DATA_STORE, name))["status"]["usedBy"] == ["default/a-tenant", "default/b-tenant"]

    await world.cluster.delete(kinds.DATA_STORE, name)
    await store_pass.datastore(world.context, name)
    status, reason, message = await world.condition(kinds.DATA_STORE, name, DELETION)
    assert (status, reason) == ("False", "DataStoreStillUsed")
    assert "default/a-tenant, default/b-tenant" in message
    assert (await verdict(world, name))[1] == "Deleting"

    for tenant in ("a-tenant", "b-tenant"):
        await world.cluster.delete(kinds.TENANT_CONTROL_PLANE, tenant, "default")
    await store_pass.datastore(world.context, name)
    assert await world.cluster.get(kinds.DATA_STORE, name) is None


async def test_a_paused_store_is_left_alone(world: World, etcd: Etcd) -> None:
    name = await brought(world, "paused", etcd.member.endpoint)
    patch = {"metadata": {"annotations": {"kamaji.clastix.io/paused": ""}}}
    before = await world.cluster.merge(kinds.DATA_STORE, name, None, patch, manager=MANAGER)
    etcd.member.stop()
    assert await store_pass.datastore(world.context, name) is None
    assert await world.get(kinds.DATA_STORE, name) == before
