"""A tenant whose writes are limited: its administrator is stopped, its cluster lives on, and the limit cannot be shaken off."""

from __future__ import annotations

import asyncio

import pytest

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta
from tests.e2e.conftest import tenant, tenant_session, until, until_condition

WITHIN = 30.0  # seconds: by itself the provider would look within ten minutes
POLICY = "kamaji-write-permissions"
ALL = {"blockCreation": True, "blockUpdate": True, "blockDeletion": True}


async def phase(management: Cluster, manifest: Manifest) -> str:
    found = await management.get(
        kinds.TENANT_CONTROL_PLANE, manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    )
    status = (found or {}).get("status") or {}
    return str(((status.get("kubernetesResources") or {}).get("version") or {}).get("status"))


async def stopped(session: Cluster, name: str) -> bool:
    try:
        await session.apply(meta.new(kinds.CONFIG_MAP, name, "default"), manager="e2e", dry_run=True)
    except ApiError as error:
        return "spec.writePermissions.blockCreation" in str(error)
    return False


async def test_limited_writes_stop_the_administrator_and_nobody_else(management: Cluster, namespace: str) -> None:
    manifest = tenant("limited", namespace)
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    session = await tenant_session(management, "limited", namespace)
    await session.create(meta.new(kinds.CONFIG_MAP, "there", "default"))

    limited = tenant("limited", namespace, writePermissions=ALL)
    await management.apply(limited, manager="e2e")
    await until(lambda: stopped(session, "new"), "the limit is in force")

    async def word() -> bool:
        return await phase(management, limited) == "WriteLimited"

    await until(word, "the phase word is WriteLimited")
    await until_condition(management, limited, "Ready")
    for attempt in (
        session.merge(kinds.CONFIG_MAP, "there", "default", {"data": {"a": "b"}}, manager="e2e"),
        session.delete(kinds.CONFIG_MAP, "there", "default"),
    ):
        with pytest.raises(ApiError, match="ask whoever runs its control plane"):
            await attempt

    # The control plane's own: its leases go on being renewed.
    async def renewed() -> str:
        leases = await session.list(kinds.LEASE, "kube-system")
        return str(sorted(str(each["spec"].get("renewTime")) for each in leases))

    before = await renewed()

    async def moved() -> bool:
        return await renewed() != before

    await until(moved, "leases of kube-system are renewed")
    await session.close()


async def test_a_deleted_policy_is_back_within_seconds(management: Cluster, namespace: str) -> None:
    manifest = tenant("stubborn", namespace, writePermissions=ALL)
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "WritePermissionsReady")
    session = await tenant_session(management, "stubborn", namespace)
    await until(lambda: stopped(session, "new"), "the limit is in force")
    await asyncio.sleep(3)
    assert await session.delete(kinds.ADMISSION_POLICY, POLICY)

    async def back() -> bool:
        return await session.get(kinds.ADMISSION_POLICY, POLICY) is not None

    await until(back, "the policy is back", patience=WITHIN)
    await until(lambda: stopped(session, "newer"), "and in force", patience=WITHIN)

    await management.apply(tenant("stubborn", namespace), manager="e2e")

    async def free() -> bool:
        return await session.get(kinds.ADMISSION_POLICY, POLICY) is None

    await until(free, "without the field the policy goes")
    await session.close()


async def test_drift_inside_a_tenant_heals_within_seconds(management: Cluster, namespace: str) -> None:
    manifest = tenant("drifting", namespace)
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    session = await tenant_session(management, "drifting", namespace)
    await asyncio.sleep(5)
    assert await session.delete(kinds.CONFIG_MAP, "kubelet-config", "kube-system")
    assert await session.delete(kinds.CLUSTER_ROLE_BINDING, "kubeadm:node-autoapprove-bootstrap")

    async def healed() -> bool:
        return (
            await session.get(kinds.CONFIG_MAP, "kubelet-config", "kube-system") is not None
            and await session.get(kinds.CLUSTER_ROLE_BINDING, "kubeadm:node-autoapprove-bootstrap") is not None
        )

    await until(healed, "both are back", patience=WITHIN)
    await session.close()
