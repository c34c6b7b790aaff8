"""What is scraped of a KamajiControlPlane: its birth, its pause, and nothing once it is gone."""

from __future__ import annotations

from prometheus_client import REGISTRY, generate_latest

from provider.api import kinds, names
from tests.conformance.world import VERSION, World


def told(world: World, name: str, **labels: str) -> float | None:
    who = {"kcp_namespace": world.namespace, "kcp_name": "kcp"}
    return REGISTRY.get_sample_value(f"kamaji_control_plane_{name}", {**who, **labels})


def scraped(world: World) -> list[str]:
    return [line for line in generate_latest().decode().splitlines() if f'kcp_namespace="{world.namespace}"' in line]


async def test_a_control_plane_tells_of_itself_from_its_birth_to_its_end(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    await world.reconcile()
    assert scraped(world) == [], "nobody's, so far"
    await world.adopt()
    await world.reconcile()
    assert (told(world, "available"), told(world, "birth_phase_seconds", phase="Initialized")) == (0, None)
    await world.host()
    await world.reconcile()
    await world.reconcile()
    assert (told(world, "available"), told(world, "paused")) == (1, 0)
    assert told(world, "info", kubernetes_version=VERSION, hosted="here") == 1
    born = told(world, "birth_phase_seconds", phase="Initialized")
    assert born is not None and 0 <= born < 300
    await world.annotate(kinds.KAMAJI_CONTROL_PLANE, "kcp", names.ANNOTATION_CAPI_PAUSED, "")
    await world.reconcile()
    assert (told(world, "available"), told(world, "paused")) == (1, 1)
    await world.annotate(kinds.KAMAJI_CONTROL_PLANE, "kcp", names.ANNOTATION_CAPI_PAUSED, None)
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    while await world.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is not None:
        await world.reconcile()
    await world.reconcile()
    assert scraped(world) == []
