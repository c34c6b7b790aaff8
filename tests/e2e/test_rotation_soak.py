"""Every rotation of the graph by itself, and certificates that live for minutes left to be renewed by themselves for an hour.

Over an hour long, so it is not part of `make test`: `make soak` runs it, and the short form (`test_rotation_proof`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from provider.api import kinds, names, poolnames
from provider.cluster.client import Cluster
from provider.manifest import meta, pem
from provider.manifest.condition import find
from tests.e2e import proofpage, proving, turned
from tests.e2e.conftest import kubectl, until
from tests.e2e.test_rotation_proof import restless
from tests.e2e.turned import LEAVES, LONG, NAME, RINGS, Turned

POOL = "turning"
LABELS = {"e2e-pool": POOL}
PROVIDER = "deployment/kamaji-provider"
LIFE = 600  # seconds for which a certificate of ours is valid in the hour
BUDGET = 100  # rollouts an hour: each renewal is one
POOLS = {
    "a store's authority": (names.ANNOTATION_ROTATE_CA, poolnames.authority_secret),
    "a store's authority among members": (names.ANNOTATION_ROTATE_PEER_CA, poolnames.peer_authority_secret),
}

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """A store of three members, so that one can start again while the others serve."""
    spec = {"members": 3, "storage": {"size": "1Gi"}, "tenantSelector": {"matchLabels": LABELS}}
    made = meta.new(kinds.DATA_STORE_POOL, POOL, spec=spec)
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(made))
    kubectl("wait", f"datastorepool/{POOL}", "--for=condition=Ready", "--timeout=240s")
    yield POOL
    kubectl("delete", "datastorepool", POOL, "--wait=true", "--timeout=240s")


@pytest.fixture
async def tenant(management: Cluster, store: str, namespace: str) -> AsyncIterator[Turned]:
    async with turned.built(management, namespace, labels=LABELS) as found:
        yield found


@pytest.fixture
def short_lived() -> Iterator[None]:
    """The provider makes certificates that live for minutes: a setting, and no other clock."""
    told = [f"KAMAJI_CERTIFICATE_LIFE={LIFE}", f"KAMAJI_ROLLOUTS_AN_HOUR={BUDGET}"]
    _set(*told)
    yield
    _set(*(f"{each.partition('=')[0]}-" for each in told))


def _set(*variables: str) -> None:
    kubectl("-n", "kamaji-system", "set", "env", PROVIDER, *variables)
    kubectl("-n", "kamaji-system", "rollout", "status", PROVIDER, "--timeout=120s")


async def of_store(management: Cluster, kind: str) -> None:
    """Another signs for the store, and the former one goes: by itself, as everybody who has to follow is ours."""
    annotation, secret = POOLS[kind]

    async def signer() -> tuple[bytes, bool]:
        data = meta.decoded(await management.get(kinds.SECRET, secret(POOL), "kamaji-system"))
        return pem.blocks(data["ca.crt"])[0], "former.crt" in data or "next.crt" in data

    before, _ = await signer()
    patch = {"metadata": {"annotations": {annotation: kind}}}
    await management.merge(kinds.DATA_STORE_POOL, POOL, None, patch, manager="e2e")

    async def over() -> bool:
        now, rotating = await signer()
        status = (await management.get(kinds.DATA_STORE_POOL, POOL) or {}).get("status") or {}
        ready = [(find(status.get("conditions"), each) or {}).get("status") for each in ("MembersReady", "Ready")]
        return now != before and not rotating and ready == ["True", "True"]

    await until(over, f"{kind} is another", LONG)


async def test_each_rotation_by_itself_then_all_at_once_and_no_client_loses_a_request(
    management: Cluster, tenant: Turned, pytestconfig: pytest.Config
) -> None:
    async with AsyncExitStack() as stack:
        proof = await stack.enter_async_context(proving.at_work(tenant.clients(pytestconfig.getoption("--ask-every"))))
        for secret in LEAVES:
            async with proof.during(f"leaf: {secret('TENANT')}"):
                await tenant.renewed(secret(NAME))
        for ring in ("certificate authority", "front proxy's authority"):
            async with proof.during(ring):
                await tenant.signed(ring)
                await tenant.completed(ring)
        async with proof.during("service-account key"):
            await tenant.signed("service-account key")
            await asyncio.sleep(turned.TOKEN_LIFE)  # in which every token that is projected is made anew
            await tenant.completed("service-account key")
        for kind in POOLS:
            async with proof.during(kind):
                await of_store(management, kind)
                await tenant.until_settled()
        async with proof.during("everything at once, the provider killed again and again"), restless():
            await asyncio.gather(tenant.signed(*RINGS), of_store(management, "a store's authority"))
        if pytestconfig.getoption("--write-proof"):
            proofpage.write(proof.rows)
        proof.faultless()


async def test_what_lives_for_minutes_is_renewed_by_itself_for_an_hour_and_no_client_loses_a_request(
    short_lived: None, tenant: Turned, pytestconfig: pytest.Config
) -> None:
    seconds = pytestconfig.getoption("--soak-seconds")
    served = names.api_server_secret(NAME)
    async with proving.at_work(tenant.clients(pytestconfig.getoption("--ask-every"))) as proof:
        first = await tenant.secret(served)
        async with proof.during(f"certificates of {LIFE // 60} minutes, left to themselves"):
            await asyncio.sleep(seconds)
        assert await tenant.secret(served) != first
        if pytestconfig.getoption("--write-proof"):
            proofpage.write(proof.rows)
        proof.faultless()
