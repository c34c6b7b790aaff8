"""Another authority under a real kubelet: its node stays Ready, is reached, and ends with a certificate of the new one.

The tenant signs for minutes only, so that the kubelet renews while we look; it was told once whom to trust, when it joined.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from lab import images
from lab.bench.asking import asking
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta, pem
from tests.e2e.conftest import condition, lingering, tenant, tenant_session, until, until_condition
from tests.e2e.walled import Worker

NAME = "turning"
SIGNED_FOR = "--cluster-signing-duration=3m"
KUBELETS = "/var/lib/kubelet/pki/kubelet-client-current.pem"
AGNHOST = next(each["name"] for each in images.document()["image"] if each.get("program") == "agnhost")
UNSEEN = timedelta(seconds=60)  # a kubelet renews its Lease every ten
LONG = 900.0  # seconds; three rollouts and a renewal


def plane(namespace: str) -> Manifest:
    place = lingering(extraArgs={"controllerManager": [SIGNED_FOR]}) | {"service": {"serviceType": "LoadBalancer"}}
    return tenant(NAME, namespace, controlPlane=place)


async def authorities(management: Cluster, namespace: str) -> tuple[bytes, ...]:
    """Those that the tenant trusts; the one that signs comes first."""
    data = meta.decoded(await management.get(kinds.SECRET, names.ca_secret(NAME), namespace))
    return pem.blocks(data.get("ca-bundle.crt", data["ca.crt"]))


async def wake(management: Cluster, namespace: str) -> None:
    """Have the provider look at the tenant: no event tells of nodes, so it would within ten minutes."""
    now = {"metadata": {"annotations": {"e2e/now": datetime.now(UTC).isoformat(timespec="seconds")}}}
    await management.merge(kinds.TENANT_CONTROL_PLANE, NAME, namespace, now, manager="e2e")


async def shown(worker: Worker) -> x509.Certificate:
    """What the kubelet shows to the API server now."""
    done = await asyncio.to_thread(worker.machine.exec, ("cat", KUBELETS), stdin=b"", timeout=30)
    return x509.load_pem_x509_certificate(done.stdout)


def signed(certificate: x509.Certificate, authority: bytes) -> bool:
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except Exception:
        return False
    return True


async def heard(session: Cluster, node: str) -> bool:
    """Whether the node's kubelet reached the API server lately."""
    lease = await session.get(kinds.LEASE, node, "kube-node-lease") or {}
    said = (lease.get("spec") or {}).get("renewTime")
    return bool(said) and datetime.now(UTC) - datetime.fromisoformat(said) < UNSEEN


@pytest.mark.alone
@pytest.mark.keeps("better.authority-overlap")
async def test_a_joined_worker_works_on_through_a_rotation_and_ends_with_a_certificate_of_the_new_authority(
    management: Cluster, namespace: str
) -> None:
    manifest = plane(namespace)
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    found = await management.get(kinds.TENANT_CONTROL_PLANE, NAME, namespace)
    assert found is not None
    secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret(NAME), namespace)
    old = meta.decoded(secret)["admin.conf"]
    session = await tenant_session(management, NAME, namespace)
    worker = Worker.called(f"turning-{namespace.removeprefix('e2e-')}")
    try:
        await worker.join(session, found["status"]["controlPlaneEndpoint"], wall=False)
        async with asking(old) as answers:
            first = (await authorities(management, namespace))[0]
            assert signed(await shown(worker), first)
            request = {"metadata": {"annotations": {names.ANNOTATION_ROTATE_CA: "one"}}}
            await management.merge(kinds.TENANT_CONTROL_PLANE, NAME, namespace, request, manager="e2e")

            async def follows() -> bool:
                await wake(management, namespace)
                signer, *others = await authorities(management, namespace)
                return others == [first] and signed(await shown(worker), signer)

            await until(follows, "the kubelet has a certificate of the new authority", LONG)
            await until(lambda: heard(session, worker.machine.name), "the kubelet is heard of with it")
        answers.faultless()

        async def followed() -> bool:
            await wake(management, namespace)
            found = await condition(management, NAME, namespace, "RotationComplete")
            return found.get("reason") == "Completing"

        await until(followed, "the node is known to have followed", LONG)
        name = pem.fingerprint((await authorities(management, namespace))[0])
        at_once = {"metadata": {"annotations": {names.ANNOTATION_COMPLETE_ROTATION: name}}}
        await management.merge(kinds.TENANT_CONTROL_PLANE, NAME, namespace, at_once, manager="e2e")

        async def over() -> bool:
            return not await condition(management, NAME, namespace, "RotationComplete")

        await until(over, "the former authority is dropped", LONG)
        await until_condition(management, manifest, "Ready")
        (second,) = await authorities(management, namespace)
        assert second != first
        fresh = await tenant_session(management, NAME, namespace)
        try:
            await until(lambda: heard(fresh, worker.machine.name), "the kubelet is heard of after it")
            await reached(fresh, worker.machine.name)
        finally:
            await fresh.close()
    finally:
        await session.close()
        await worker.end()


async def reached(session: Cluster, node: str) -> None:
    """The API server gets a log from the kubelet, which knows only the former authority."""
    container = {"name": "c", "image": AGNHOST, "args": ["netexec"]}
    pod = meta.new(kinds.POD, "c", "default", spec={"nodeName": node, "containers": [container]})
    await session.apply(pod, manager="e2e")

    async def log() -> str:
        try:
            return await session.text("/api/v1/namespaces/default/pods/c/log")
        except ApiError:
            return ""

    assert await until(log, "the pod's log")
