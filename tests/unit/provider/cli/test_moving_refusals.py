"""To whom a move is refused before anything is written, with whom it has to be said instead; and what is written of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cli import moving
from provider.cli.power import TOPOLOGY_OWNED
from provider.cli.session import Session
from provider.cli.trouble import ASKED_AND_NO, WRONG_USE, Trouble
from provider.cluster.errors import Forbidden
from provider.hosting.migration import Phase
from provider.manifest import Manifest

CONTROL_PLANE = {"kind": "KamajiControlPlane", "name": "c", "controller": True}


@dataclass
class Management:
    """A management cluster with these objects, that keeps what is written."""

    objects: dict[tuple[Kind, str], Manifest]
    hides_stores: bool = False
    written: list[tuple[str, str, Any]] = field(default_factory=list)
    server: str = "https://here"

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        self._may(kind)
        return self.objects.get((kind, name))

    async def list(self, kind: Kind, namespace: str | None = None) -> list[Manifest]:
        self._may(kind)
        return [each for (found, _), each in self.objects.items() if found is kind]

    async def merge(self, kind: Kind, name: str, namespace: str, patch: Any, *, manager: str) -> Manifest:
        self.written.append((kind.kind, f"{namespace}/{name}", patch))
        return self.objects.get((kind, name), {})

    def _may(self, kind: Kind) -> None:
        if self.hides_stores and kind is kinds.DATA_STORE:
            raise Forbidden(403, "Forbidden", "no")


def tenant(*, move: Any = None, asked: str = "one", ready: bool = True, **metadata: Any) -> Manifest:
    reason = {"type": "Ready", "status": str(ready), "reason": "PodsStarting", "message": "words"}
    return {
        "metadata": {"namespace": "team", "name": "demo", **metadata},
        "spec": {"dataStore": asked},
        "status": {"storage": {"dataStoreName": "one", "migration": move}, "conditions": [reason]},
    }


def control_plane(*fields: str, **labels: str) -> Manifest:
    """A KamajiControlPlane of whose spec the topology controller owns these fields."""
    managed = {"manager": "capi-topology", "fieldsV1": {"f:spec": {f"f:{each}": {} for each in fields}}}
    metadata = {"namespace": "team", "name": "c", "labels": labels, "managedFields": [managed]}
    return {"metadata": metadata, "spec": {}}


def management(*more: tuple[Kind, Manifest], **known: Any) -> Management:
    stores = [(kinds.DATA_STORE, {"metadata": {"name": each}}) for each in ("one", "second")]
    return Management({(kind, each["metadata"]["name"]): each for kind, each in (*stores, *more)}, **known)


async def begun(cluster: Management, found: Manifest, store: str = "second") -> str:
    session = Session(cluster=cluster, namespace="team")  # type: ignore[arg-type]
    return await moving.begin(session, found, store)


async def refused(cluster: Management, found: Manifest, store: str = "second") -> Trouble:
    with pytest.raises(Trouble) as caught:
        await begun(cluster, found, store)
    assert cluster.written == []
    return caught.value


async def test_one_that_another_management_cluster_asks_for_is_moved_there() -> None:
    trouble = await refused(management(), tenant(labels={names.LABEL_CONTROL_PLANE: "c"}))
    assert str(trouble) == "KamajiControlPlane c of another management cluster asks for it: say it there"


async def test_what_a_topology_says_is_changed_in_its_cluster() -> None:
    of_topology = control_plane("version", "dataStoreName", **{TOPOLOGY_OWNED: ""})
    cluster = management((kinds.KAMAJI_CONTROL_PLANE, of_topology))
    trouble = await refused(cluster, tenant(ownerReferences=[CONTROL_PLANE]))
    assert (trouble.status, "the topology of its Cluster says dataStoreName" in str(trouble)) == (WRONG_USE, True)


async def test_what_a_topology_does_not_say_is_written_where_cluster_api_asks_for_the_tenant() -> None:
    of_topology = control_plane("version", **{TOPOLOGY_OWNED: ""})
    cluster = management((kinds.KAMAJI_CONTROL_PLANE, of_topology))
    assert await begun(cluster, tenant(ownerReferences=[CONTROL_PLANE])) == "one"
    assert cluster.written == [("KamajiControlPlane", "team/c", {"spec": {"dataStoreName": "second"}})]


@pytest.mark.parametrize(("store", "hint"), [("secund", "did you mean second?"), ("x", "`kamaji stores` lists them")])
async def test_a_store_that_there_is_not_is_said_so_with_one_that_there_is(store: str, hint: str) -> None:
    assert str(await refused(management(), tenant(), store)) == f"there is no DataStore {store}; {hint}"


async def test_who_may_not_read_stores_has_to_know_himself() -> None:
    cluster = management(hides_stores=True)
    await begun(cluster, tenant(), "x")
    assert cluster.written == [("TenantControlPlane", "team/demo", {"spec": {"dataStore": "x"}})]


async def test_one_that_is_being_deleted_goes_nowhere() -> None:
    trouble = await refused(management(), tenant(deletionTimestamp="2026-03-01T10:00:00Z"))
    assert (trouble.status, str(trouble)) == (ASKED_AND_NO, "team/demo is being deleted")


async def test_a_move_that_failed_is_not_begun_again_before_what_it_left_is_erased() -> None:
    move = {"phase": Phase.FAILED, "source": "one", "target": "second", "message": "the copy differs"}
    words = str(await refused(management(), tenant(move=move, asked="second")))
    assert "it was tried and failed: the copy differs" in words
    assert "`kamaji move team/demo one`" in words
    back = management()
    await begun(back, tenant(move=move, asked="second"), "one")
    assert back.written == [("TenantControlPlane", "team/demo", {"spec": {"dataStore": "one"}})]


async def test_what_is_asked_already_is_not_written_twice() -> None:
    cluster = management()
    await begun(cluster, tenant(asked="second"))
    assert cluster.written == []


async def test_a_tenant_that_is_not_ready_may_move_for_its_store_may_be_the_reason() -> None:
    cluster = management()
    await begun(cluster, tenant(ready=False))
    assert cluster.written == [("TenantControlPlane", "team/demo", {"spec": {"dataStore": "second"}})]


def test_a_store_that_is_not_ready_is_waited_for_in_the_providers_words() -> None:
    found = tenant(asked="second", generation=1)
    why = {"type": "Migrated", "status": "False", "reason": "DataStoreNotReady", "message": "DataStore second is not"}
    found["status"] |= {"observedGeneration": 1, "conditions": [why]}
    seen = moving.judged(found, "second")
    assert (seen.words, seen.done, seen.failed) == ("DataStoreNotReady: DataStore second is not", False, False)
