"""A pool moves a tenant off a store that is emptied: told first, then asked for, then carried out by the tenant's passes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting.reconcile import pool as pool_pass
from provider.manifest import Manifest, meta
from tests.integration.fixtures import COUNTER
from tests.integration.hosted import MANAGER, Hosted, Store, context
from tests.integration.rollout import Rollout
from tests.integration.test_migration import Moved, client


@pytest.fixture
async def moved(management: Cluster, namespace: str, tmp_path: Path) -> AsyncIterator[Moved]:
    """In the first of two stores, which it does not name."""
    number = next(COUNTER)
    stores = (
        await Store.start(management, tmp_path / "full", f"full-{number}"),
        await Store.start(management, tmp_path / "free", f"free-{number}"),
    )
    hosted = Hosted(management, stores[0], namespace, tmp_path / "tenant")
    rollout = Rollout(hosted)
    await rollout.open()
    await hosted.say()
    await hosted.look()
    await rollout.step()
    await hosted.look(2)
    yield Moved(hosted, rollout, stores)
    await rollout.close()
    await hosted.stop()
    for each in stores:
        each.stop()


async def pooled(moved: Moved, drain: str | None = None) -> Manifest:
    """The pool of both stores after a pass over it, the first with this annotation."""
    cluster, name = moved.hosted.cluster, f"pool-of-{moved.stores[0].name}"
    for each in moved.stores:
        said = {"labels": {"pool-of-tests": name}}
        said |= {"annotations": {names.ANNOTATION_DRAIN: drain}} if each is moved.stores[0] else {}
        await cluster.merge(kinds.DATA_STORE, each.name, None, {"metadata": said}, manager=MANAGER)
    spec = {"minStores": 0, "storeSelector": {"matchLabels": {"pool-of-tests": name}}}
    await cluster.apply(meta.new(kinds.DATA_STORE_POOL, name, spec=spec), manager=MANAGER)
    await pool_pass.pool(context(cluster), name)
    found = await cluster.get(kinds.DATA_STORE_POOL, name)
    assert found is not None
    return found


async def test_a_store_that_is_emptied_has_its_plan_told_before_anything_is_done_and_then_its_tenant_goes(
    moved: Moved,
) -> None:
    first, second = moved.stores
    key = "/".join(moved.hosted.key)
    assert (await pooled(moved))["status"]["moves"] == []
    (planned,) = (await pooled(moved, "plan"))["status"]["moves"]
    assert (planned["tenant"], planned["target"], planned["state"]) == (key, second.name, "Planned")
    assert names.ANNOTATION_MOVE_TO not in meta.annotations_of(await moved.hosted.tcp())
    async with client(moved):
        await pooled(moved, "true")
        assert meta.annotations_of(await moved.hosted.tcp())[names.ANNOTATION_MOVE_TO] == second.name
        (told,) = (await pooled(moved, "true"))["status"]["moves"]
        assert told["state"] == "Moving"
        await moved.until(moved.is_there(second))
    assert not (await moved.hosted.tcp())["spec"].get("dataStore"), "the spec is its user's"
    found = await pooled(moved, "true")
    assert found["status"]["moves"] == []
    assert f"moved from {first.name}" in meta.annotations_of(await moved.hosted.tcp())[names.ANNOTATION_PLACED]
