"""cluster-info is signed for the first tokens before the controller manager is there, and by the same bytes as it would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from lab.servers import ApiServer, ControllerManager, Etcd
from provider.api import kinds
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.hosting.reconcile.signing import Signing
from provider.manifest import Manifest, kubeconfig, meta
from tests.integration.real_controllers import until

KEY = ("tenants", "demo")
CONTENT = kubeconfig.discovery("https://demo.example:6443", b"an authority")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    started = ApiServer(tmp_path_factory.mktemp("signing"), plain_etcd, prefix="/signing").start()
    yield started
    started.stop()


@pytest.fixture
async def session(server: ApiServer) -> AsyncIterator[Cluster]:
    connection = await connect.from_kubeconfig(server.kubeconfig())
    yield connection
    await connection.close()


def token(name: str, **more: str) -> Manifest:
    data = {"token-id": name, "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true"} | more
    kind = "bootstrap.kubernetes.io/token"
    return meta.new(kinds.SECRET, f"bootstrap-token-{name}", "kube-system", type=kind, data=meta.secret_data(data))


async def signatures(session: Cluster) -> dict[str, str]:
    found = await session.get(kinds.CONFIG_MAP, "cluster-info", "kube-public")
    return {key: value for key, value in ((found or {}).get("data") or {}).items() if key != "kubeconfig"}


async def test_a_token_before_and_one_after_cluster_info_are_signed_for_as_the_controller_manager_does(
    server: ApiServer, session: Cluster
) -> None:
    signing = asyncio.create_task(Signing(clock=lambda: datetime.now(UTC)).attend(KEY, session))
    await session.create(token("before"))
    await session.create(meta.new(kinds.CONFIG_MAP, "cluster-info", "kube-public", data={"kubeconfig": CONTENT}))
    await session.create(token("aafter"))
    await session.create(token("theold", expiration="2020-01-01T00:00:00Z"))

    async def both() -> bool:
        return set(await signatures(session)) == {"jws-kubeconfig-before", "jws-kubeconfig-aafter"}

    await until(both, "two signatures")
    ours = await signatures(session)
    signing.cancel()

    controllers = ControllerManager(server, "bootstrap-signer-controller").start()
    try:
        await session.create(token("theirs"))  # when this one is signed, theirs has looked at all

        async def signed() -> bool:
            return "jws-kubeconfig-theirs" in await signatures(session)

        await until(signed, "a signature by the controller manager")
    finally:
        controllers.stop()
    theirs = await signatures(session)
    assert {key: theirs[key] for key in ours} == ours
    assert set(theirs) == {*ours, "jws-kubeconfig-theirs"}


async def test_after_the_first_moments_it_is_the_controller_managers_alone(session: Cluster) -> None:
    await asyncio.wait_for(Signing(clock=lambda: datetime.now(UTC), moments=0.2).attend(KEY, session), 30)
