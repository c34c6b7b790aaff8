"""What is asked of a tenant in one write: to sleep, to wake, to rotate."""

from __future__ import annotations

from datetime import UTC, datetime

from provider.api import names
from provider.cli import kubeconfig as admin
from provider.cli import power
from provider.cli.format import Ring
from provider.cli.session import MANAGER, Session
from provider.manifest.condition import timestamp

ROTATE = {
    Ring.CA: names.ANNOTATION_ROTATE_CA,
    Ring.FRONT_PROXY_CA: names.ANNOTATION_ROTATE_FRONT_PROXY_CA,
    Ring.SERVICE_ACCOUNT_KEY: names.ANNOTATION_ROTATE_SERVICE_ACCOUNT_KEY,
    Ring.ENCRYPTION_KEY: names.ANNOTATION_ROTATE_ENCRYPTION_KEY,
}


async def sleep(session: Session, tenant: str) -> int:
    """Its pods go."""
    print(await power.slept(session, await session.tenant(tenant)))
    return 0


async def wake(session: Session, tenant: str, replicas: int | None) -> int:
    """Its pods come back."""
    print(await power.woken(session, await session.tenant(tenant), replicas))
    return 0


async def rotate(session: Session, tenant: str, what: Ring) -> int:
    """Another authority or key; the provider takes it from there."""
    found = await session.tenant(tenant)
    if what is Ring.KUBECONFIG:
        print(await admin.renewed(session, found))
        return 0
    kind, asked = await session.asked(found)
    namespace, name = found["metadata"]["namespace"], found["metadata"]["name"]
    patch = {"metadata": {"annotations": {ROTATE[what]: timestamp(datetime.now(UTC))}}}
    await session.cluster.merge(kind, asked["metadata"]["name"], namespace, patch, manager=MANAGER)
    print(f"{what} of {namespace}/{name} is asked for anew; `kamaji explain {namespace}/{name}` says how far it is")
    return 0
