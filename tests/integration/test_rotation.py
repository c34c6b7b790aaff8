"""Rotations against the tenant's real kube-apiserver and kube-controller-manager, with clients that ask all the while.

Its pod is one process after the other on one port, so a client may find nobody there; what it must never find is somebody whom
it does not trust, or who does not believe it.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lab import programs
from lab.servers import Authority, Etcd
from provider.api import kinds, names
from provider.cluster.errors import Unauthorized
from provider.hosting.observe import rotation as observe
from provider.hosting.rotation.keyring import RINGS
from provider.manifest import meta, pem
from provider.manifest.kubeconfig import Kubeconfig
from tests.integration.rotation_world import Home, faultless, issuer
from tests.integration.tenant_world import Store, TenantWorld


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Etcd, Authority]]:
    authority = Authority()
    etcd = Etcd(tmp_path_factory.mktemp("shared"), authority=authority).start()
    yield etcd, authority
    etcd.stop()


@pytest.fixture
async def home(
    hosting: TenantWorld, shared: tuple[Etcd, Authority], namespace: str, tmp_path: Path
) -> AsyncIterator[Home]:
    store: Store = await hosting.offer("turning", *shared)
    found = await Home.built(hosting, store, namespace, tmp_path / "pod")
    yield found
    found.pod.stop()


def go_believes(home: Home, kubeconfig: Kubeconfig, folder: Path) -> None:
    """Kubernetes' own client finds its way as well."""
    file = folder / "kubeconfig"
    file.write_bytes(replace(kubeconfig, server=home.url).render())
    command = [programs.path("kubectl"), "--kubeconfig", file, "get", "--raw", "/api"]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.keeps("better.authority-overlap")
async def test_through_a_rotation_of_the_authority_old_and_new_holders_are_served(home: Home, tmp_path: Path) -> None:
    old, node = await home.admin(), await home.joined("worker")
    async with home.asked_by(("old administrator", old, ""), ("node", node, "")) as clients:
        await home.annotate(rotate_ca="one")
        await home.stepped()
        assert (await home.told())[0] == "Preparing"
        await home.passed()
        assert (await home.told())[0] == "Signing"
        await home.rolled()
        await home.passed()
        await home.passed()
        reason, message = await home.told()
        assert (reason, "node worker" in message) == ("NodesBehind", True)
        new, later = await home.admin(), await home.joined("later")
        async with home.asked_by(("new administrator", new, ""), ("later node", later, "")) as more:
            await home.rolled()
            go_believes(home, old, tmp_path)
            go_believes(home, node, tmp_path)
        faultless(more)
    faultless(clients)
    assert pem.blocks(new.ca) == (*pem.blocks(new.ca)[:1], *pem.blocks(old.ca))
    signer = (await home.secret(names.ca_secret))["ca.crt"]
    assert [issuer(each.client.certificate, signer) for each in (old, node, new, later)] == [False, False, True, True]

    renewed = await home.renewed("worker", node)
    assert issuer(renewed.client.certificate, signer)
    await home.passed()
    assert (await home.told())[0] == "Completing", "both nodes have followed, and people have a day"
    async with home.asked_by(("renewed node", renewed, ""), ("new administrator", new, "")) as clients:
        home.world.later = timedelta(days=1)
        await home.stepped()
        assert await home.told() == ("", "")
        go_believes(home, renewed, tmp_path)
    faultless(clients)
    assert renewed.ca == old.ca, "it never heard of the new authority, and finds the way by the bridge"
    with pytest.raises(Unauthorized):
        async with home.session(replace(old, ca=new.ca)) as session:
            await session.text("/api")
    assert (await home.world.condition(home.tenant, "Ready"))[0] == "True"
    async with home.inside() as session:
        root = await session.get(kinds.CONFIG_MAP, "kube-root-ca.crt", "default")
        assert root is not None


@pytest.mark.nightly
@pytest.mark.keeps("better.authority-overlap")
async def test_through_a_rotation_of_the_key_of_tokens_every_token_is_believed(home: Home) -> None:
    admin, old = await home.admin(), await home.token()
    async with home.asked_by(("old token", admin, old)) as clients:
        await home.annotate(rotate_service_account_key="one", rotate_front_proxy_ca="one")
        for reason in ("Preparing", "Signing"):
            await home.passed()
            assert (await home.told())[0] == reason
            await home.rolled()
        new = await home.token()
        async with home.asked_by(("new token", admin, new)) as more:
            await home.stepped()
            assert (await home.told())[0] in ("Completing", "TokensBehind")
            await home.stepped()
            assert (await home.told())[0] == "TokensBehind"
        faultless(more)
    faultless(clients)
    assert "front-proxy-ca-bundle.crt" in await home.secret(names.front_proxy_ca_secret)
    assert "former.crt" not in await home.secret(names.front_proxy_ca_secret)


async def test_tokens_that_never_expire_are_found_and_no_other_secret(home: Home) -> None:
    account = {"kubernetes.io/service-account.name": "default"}
    lasting = meta.new(kinds.SECRET, "lasting", "default", annotations=account, type=observe.TOKEN)
    async with home.inside() as session:
        await session.apply(lasting, manager="tests")
        await session.apply(meta.new(kinds.SECRET, "other", "default", type="Opaque"), manager="tests")
        assert [each.name for each in await observe.tokens(session)] == ["default/lasting"]


@pytest.mark.nightly
@pytest.mark.keeps("better.authority-overlap")
async def test_when_what_signs_was_deleted_all_that_it_signed_is_believed_still(home: Home, tmp_path: Path) -> None:
    old, node, token = await home.admin(), await home.joined("worker"), await home.token()
    before = [(await home.secret(each.secret))[each.public] for each in RINGS]
    clients = (("old administrator", old, ""), ("node", node, ""), ("old token", old, token))
    async with home.asked_by(*clients) as asking:
        for each in RINGS:
            name = each.secret(home.name)
            await home.world.admin.delete(kinds.SECRET, name, home.tenant["metadata"]["namespace"])
        for _ in range(3):
            await home.stepped()
        await home.passed()
        go_believes(home, old, tmp_path)
        assert "node worker" in (await home.told())[1]
        new = await home.admin()
        async with home.asked_by(("new administrator", new, ""), ("new token", new, await home.token())) as more:
            await home.rolled()
        faultless(more)
    faultless(asking)
    after = [(await home.secret(each.secret))[each.public] for each in RINGS]
    assert not set(before) & set(after)
