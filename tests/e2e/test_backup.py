"""All keys of a tenant are deleted in its etcd: its backup brings it back in place, and its worker goes on by itself."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from lab.datastore import default_store
from provider.api import kinds
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.backupview import OFFERED, is_over
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition
from tests.e2e.walled import Worker

NAME = "phoenix"
HERE = "kamaji-system"


@pytest.fixture
def claim() -> Iterator[str]:
    """A volume for backups."""
    name = "backups"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    made = meta.new(kinds.PERSISTENT_VOLUME_CLAIM, name, HERE, labels={OFFERED: "true"}, spec=spec)
    kubectl("apply", "-f", "-", stdin=json.dumps(made))
    yield name
    kubectl("delete", "pvc", name, "-n", HERE, "--wait=false")


async def done(management: Cluster, kind: Kind, name: str, namespace: str, **spec: Any) -> Manifest:
    """What was asked for, once it is Ready."""
    base = {"tenantControlPlaneName": NAME, "encryptionSecretName": "sealed"}
    await management.apply(meta.new(kind, name, namespace, spec=base | spec), manager="e2e")

    async def over() -> Manifest | None:
        found = await management.get(kind, name, namespace)
        return found if found is not None and is_over(found) else None

    found: Manifest = await until(over, f"{kind.kind} {name} is over")
    ready = find(found["status"]["conditions"], "Ready") or {}
    assert ready["status"] == "True", ready
    return found


async def restored(session: Cluster) -> Manifest | None:
    """None while its API server begins again."""
    try:
        return await session.get(kinds.CONFIG_MAP, "mine", "default")
    except ApiError:
        return None


async def test_a_tenant_whose_keys_are_all_deleted_comes_back_in_place_and_its_worker_with_it(
    management: Cluster, namespace: str, claim: str
) -> None:
    key = meta.secret_data({"key": secrets.token_bytes(32)})
    await management.apply(meta.new(kinds.SECRET, "sealed", namespace, data=key), manager="e2e")
    place = {"service": {"serviceType": "LoadBalancer"}, "deployment": {"replicas": 1}}
    manifest = tenant(NAME, namespace, controlPlane=place, dataStore="default")
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    found = await management.get(kinds.TENANT_CONTROL_PLANE, NAME, namespace)
    assert found is not None
    session = await tenant_session(management, NAME, namespace)
    worker = Worker.called(f"phoenix-{namespace.removeprefix('e2e-')}")
    try:
        await worker.join(session, found["status"]["controlPlaneEndpoint"], wall=False)
        await session.create(meta.new(kinds.CONFIG_MAP, "mine", "default", data={"value": "yesterday"}))
        where = {"volume": {"claimName": claim}}
        backup = await done(management, kinds.TENANT_BACKUP, "before", namespace, destination=where)
        setup = found["status"]["storage"]["setup"]
        async with default_store(management) as store:
            await store.drop(Keyspace(schema=setup["schema"], user=setup["user"]))
        disaster = datetime.now(UTC)
        source = {**where, "file": backup["status"]["file"]}
        await done(management, kinds.TENANT_RESTORE, "back", namespace, source=source, inPlace=True)
        await until_condition(management, manifest, "Ready")
        mine = await until(lambda: restored(session), "what was lost is there again")
        assert mine["data"] == {"value": "yesterday"}
        assert int(mine["metadata"]["resourceVersion"]) > backup["status"]["revision"]

        async def back() -> bool:
            try:
                lease = await session.get(kinds.LEASE, worker.machine.name, "kube-node-lease") or {}
                node = await session.get(kinds.NODE, worker.machine.name) or {}
            except ApiError:
                return False
            renewed = (lease.get("spec") or {}).get("renewTime")
            ready = find((node.get("status") or {}).get("conditions"), "Ready") or {}
            return bool(renewed) and datetime.fromisoformat(renewed) > disaster and ready.get("status") == "True"

        await until(back, "the worker is heard of again, and Ready")
    finally:
        await session.close()
        await worker.end()
