"""A store of a pool is emptied: its tenant goes to the other one, served meanwhile, and nobody touched its spec."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.bench.asking import asking
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from tests.e2e.conftest import kubectl, lingering, tenant, tenant_session, until, until_condition
from tests.e2e.test_migration import kept, until_written, writing

pytestmark = pytest.mark.nightly

POOL = "pair"
PATIENCE = 600.0


@pytest.fixture
def pool() -> Iterator[str]:
    """Two etcds, for tenants with its label."""
    spec = {"storage": {"size": "1Gi"}, "minStores": 2, "tenantSelector": {"matchLabels": {"pool": POOL}}}
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(meta.new(kinds.DATA_STORE_POOL, POOL, spec=spec)))
    for each in (POOL, f"{POOL}-2"):
        kubectl("wait", "--for=create", f"datastore/{each}", "--timeout=600s")
        kubectl("wait", "--for=jsonpath={.status.ready}=true", f"datastore/{each}", "--timeout=600s")
    yield POOL
    kubectl("delete", "datastorepool", POOL, "--wait=true", "--timeout=600s")


@pytest.mark.alone
async def test_a_store_that_is_emptied_gives_its_tenant_to_the_other_and_nothing_acknowledged_is_lost(
    management: Cluster, pool: str, namespace: str
) -> None:
    manifest = tenant("goer", namespace, controlPlane=lingering())
    manifest["metadata"]["labels"] = {"pool": POOL}
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready", patience=PATIENCE)

    async def seen() -> dict[str, Any]:
        found = await management.get(kinds.TENANT_CONTROL_PLANE, "goer", namespace)
        assert found is not None
        return found

    source = (await seen())["status"]["storage"]["dataStoreName"]
    (target,) = {POOL, f"{POOL}-2"} - {source}

    async def moves() -> list[Manifest]:
        found = await management.get(kinds.DATA_STORE_POOL, POOL)
        return list(((found or {}).get("status") or {}).get("moves") or ())

    async def planned() -> bool:
        return [(each["tenant"], each["target"], each["state"]) for each in await moves()] == [
            (f"{namespace}/goer", target, "Planned")
        ]

    async def gone() -> bool:
        storage = (await seen())["status"]["storage"]
        return storage["dataStoreName"] == target and (storage.get("migration") or {}).get("phase") == "Moved"

    kubectl("annotate", "datastore", source, f"{names.ANNOTATION_DRAIN}=plan")
    await until(planned, "the plan tells of it", PATIENCE)
    assert names.ANNOTATION_MOVE_TO not in meta.annotations_of(await seen())
    secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret("goer"), namespace)
    session = await tenant_session(management, "goer", namespace)
    async with asking(meta.decoded(secret)["admin.svc"]) as answers, writing(session) as acknowledged:
        await until_written(acknowledged)
        kubectl("annotate", "datastore", source, f"{names.ANNOTATION_DRAIN}=true", "--overwrite")
        await until(gone, f"its keys are in {target}", PATIENCE)
        await until_written(acknowledged)
    answers.faultless()
    assert set(acknowledged) <= await kept(session)
    assert not (await seen())["spec"].get("dataStore")
    await session.close()
