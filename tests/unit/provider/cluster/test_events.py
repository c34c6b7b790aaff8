"""Events are best effort, bounded for each object, and never longer than an API server takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from provider.api import kinds
from provider.cluster.errors import Forbidden
from provider.cluster.events import BURST, REFILL, Recorder
from provider.manifest import Manifest, happening, meta
from provider.manifest.condition import LONGEST, Condition, merged
from provider.manifest.happening import Happening

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Taker:
    """Takes what is created, or refuses."""

    def __init__(self, refuses: bool = False) -> None:
        self.taken: list[Manifest] = []
        self.refuses = refuses

    async def create(self, manifest: Manifest) -> Manifest:
        if self.refuses:
            raise Forbidden(403, "Forbidden", "the namespace is being terminated")
        self.taken.append(manifest)
        return manifest


def tenant(name: str = "demo") -> Manifest:
    found = meta.new(kinds.TENANT_CONTROL_PLANE, name, "ns")
    found["metadata"]["uid"] = f"uid-{name}"
    return found


async def test_one_that_flaps_is_told_of_now_and_then_and_its_neighbour_as_ever() -> None:
    taker, now = Taker(), [0.0]
    recorder: Any = Recorder(taker, "pod", clock=lambda: now[0])  # type: ignore[arg-type]
    for _ in range(100):
        await recorder.record(tenant(), [Happening("NotReady", "x")])
    assert len(taker.taken) == BURST
    await recorder.record(tenant("other"), [Happening("Ready", "x")])
    assert len(taker.taken) == BURST + 1
    now[0] = REFILL * 2
    for _ in range(100):
        await recorder.record(tenant(), [Happening("NotReady", "x")])
    assert len(taker.taken) == BURST + 3


async def test_an_api_server_that_does_not_take_it_fails_nobody() -> None:
    await Recorder(Taker(refuses=True), "pod").record(tenant(), [Happening("Ready", "x")])  # type: ignore[arg-type]


def test_an_event_says_what_happened_to_which_object() -> None:
    found = happening.event(Happening("Ready", "it works"), tenant(), "demo.1", "pod-1", NOW)
    assert found["metadata"] == {"name": "demo.1", "namespace": "ns"}
    assert found["regarding"] == {
        "apiVersion": "kamaji.clastix.io/v1alpha1",
        "kind": "TenantControlPlane",
        "name": "demo",
        "namespace": "ns",
        "uid": "uid-demo",
    }
    assert (found["type"], found["eventTime"]) == ("Normal", "2026-11-24T00:00:00.000000Z")


def test_a_note_is_cut_between_letters() -> None:
    found = happening.event(Happening("X", "ä" * 2000, warning=True), tenant(), "demo.1", "pod-1", NOW)
    assert len(found["note"].encode()) <= happening.NOTE
    assert found["note"].endswith("ä…")


def test_a_condition_that_repeats_a_tenants_words_stays_within_what_an_api_server_takes() -> None:
    (found,) = merged([Condition(type="A", status="False", reason="R", message="x" * 100_000)], None, 1, NOW)
    assert len(found["message"]) == LONGEST
