"""A DataStore's authority takes the place of another, step by step, under a tenant's real API server: it is never cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lab.servers import Authority, Etcd
from provider.api import kinds, names
from provider.hosting.reconcile import datastore as store_pass
from provider.manifest import meta, pem, x509
from provider.manifest.x509 import Pair
from tests.integration.in_force import let_through
from tests.integration.rotation_world import MANAGER, Home
from tests.integration.tenant_world import NAMESPACE, Store, TenantWorld

pytestmark = pytest.mark.nightly


@dataclass
class Turning:
    """A tenant, its store, and the hands of whoever runs that."""

    home: Home
    store: Store
    old: Authority
    new: Authority
    writes: int = 0

    async def named(self, certificate: bytes, key: bytes, root: Pair | None = None) -> None:
        """What the DataStore's Secrets say; then it and the tenant are looked at, and the pods follow."""
        world, name = self.home.world, self.store.name
        said = {"ca": Pair(certificate=certificate, key=key)} | ({"root": root} if root else {})
        for each, pair in said.items():
            data = meta.secret_data({"crt": pair.certificate, "key": pair.key})
            secret = meta.new(kinds.SECRET, f"{name}-{each}", NAMESPACE, data=data)
            await world.admin.apply(secret, manager=MANAGER)
        await self.followed()

    async def followed(self) -> None:
        await store_pass.datastore(self.home.world.context, self.store.name)
        await self.home.passed()
        assert (await self.home.world.condition(self.home.tenant, "StorageReady"))[0] == "True"
        await self.serves()
        await self.home.rolled()
        await self.serves()

    async def serves(self) -> None:
        """Something is written through the API server into the store."""
        self.writes += 1
        async with self.home.inside() as session:
            await session.apply(meta.new(kinds.CONFIG_MAP, f"w{self.writes}", "default"), manager=MANAGER)

    async def held(self) -> dict[str, bytes]:
        return await self.home.secret(names.datastore_certificate_secret)

    async def restarted(self, served: Authority, *trusted: Authority) -> None:
        """etcd shows another certificate, and trusts these for clients; the tenant finds its way back."""
        etcd = self.store.etcd
        etcd.stop()
        bundle = b"".join(each.certificate for each in trusted)
        etcd.authority, etcd.clients = served, Authority(replace(trusted[0].pair, certificate=bundle))
        etcd.start()
        await let_through(self.serves)


@pytest.fixture
async def turning(hosting: TenantWorld, namespace: str, tmp_path: Path) -> AsyncIterator[Turning]:
    old, new = Authority(), Authority()
    etcd = Etcd(tmp_path / "etcd", authority=old).start()
    store = await hosting.offer(f"turning-{namespace}", etcd, old)
    home = await Home.built(hosting, store, namespace, tmp_path / "pod")
    yield Turning(home, store, old, new)
    home.pod.stop()
    etcd.stop()


@pytest.mark.keeps("better.authority-overlap")
async def test_while_a_store_changes_its_authority_its_tenants_go_over_when_it_takes_them_and_serve_all_the_while(
    turning: Turning,
) -> None:
    old, new = turning.old, turning.new
    both = old.certificate + new.certificate
    first = await turning.held()

    await turning.named(both, old.pair.key)
    assert pem.same_certificates((await turning.held())["ca.crt"], both)
    assert (await turning.held())["server.crt"] == first["server.crt"]

    await turning.named(both, new.pair.key)
    assert (await turning.held())["server.crt"] == first["server.crt"], "the store does not take the new one's yet"

    await turning.restarted(old, old, new)
    await turning.followed()
    second = await turning.held()
    assert x509.verifies(second["server.crt"], new.certificate)

    await turning.restarted(new, new, old)
    await turning.named(both, new.pair.key, root=new.client("root"))
    await turning.restarted(new, new)
    await turning.named(new.certificate, new.pair.key)
    third = await turning.held()
    assert (third["ca.crt"], third["server.crt"]) == (new.certificate, second["server.crt"])


async def test_the_tenants_of_a_store_look_at_it_when_it_names_another_authority(turning: Turning) -> None:
    """A Secret that changes is no event of the DataStore; its status is."""
    world = turning.home.world

    async def told() -> str:
        found = await world.admin.get(kinds.DATA_STORE, turning.store.name)
        assert found is not None
        return str(found["status"]["authorities"])

    before = await told()
    await turning.named(turning.old.certificate + turning.new.certificate, turning.old.pair.key)
    assert await told() != before
