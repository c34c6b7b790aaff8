"""The applier sends what differs and nothing else, tries all before it fails, and deletes only what is its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster import apply
from provider.cluster.apply import Applier, key_of, labelled
from provider.cluster.errors import Refused
from provider.manifest import Manifest, meta

OWNER = {names.LABEL_PROJECT: names.PROJECT, names.LABEL_NAME: "demo"}


def config(name: str, value: str = "v", **metadata: Any) -> Manifest:
    made = meta.new(kinds.CONFIG_MAP, name, "tenants", data={"key": value})
    made["metadata"] |= metadata
    return made


@dataclass
class Server:
    """In the place of `cluster.client.Cluster`: stores what is applied and notes what it was asked."""

    applied: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    refuses: str = ""
    at_once: int = 0
    most_at_once: int = 0

    async def apply(self, manifest: Manifest, *, manager: str) -> Manifest:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        name = manifest["metadata"]["name"]
        self.applied.append(name)
        if name == self.refuses:
            raise Refused(422, "Invalid", f"{name} is invalid")
        version = str(len(self.applied))
        return {**manifest, "metadata": {**manifest["metadata"], "uid": name, "resourceVersion": version}}

    async def delete(self, kind: Kind, name: str, namespace: str | None, *, uid: str) -> None:
        self.deleted.append(f"{kind.kind} {namespace}/{name} {uid}")

    async def kind_of(self, manifest: Manifest) -> Kind:
        return kinds.of(manifest)


def applier(server: Server) -> Applier:
    given: Any = server
    return Applier(given, "kamaji")


def live(*manifests: Manifest) -> dict[apply.Key, Manifest]:
    return {key_of(each): each for each in manifests}


def test_an_object_gets_its_owners_labels_below_its_own_and_its_parts_above() -> None:
    given = config("a", labels={"mine": "1", names.LABEL_NAME: "own", names.LABEL_PART: "forged"})
    found = labelled(given, OWNER, "service")
    assert found["metadata"]["labels"] == {
        names.LABEL_PROJECT: "kamaji",
        names.LABEL_NAME: "own",
        "mine": "1",
        names.LABEL_PART: "service",
    }
    assert given["metadata"]["labels"][names.LABEL_PART] == "forged", "what was given stays as it is"


def test_an_object_of_the_cluster_has_its_place_without_a_namespace() -> None:
    assert key_of(meta.new(kinds.CLUSTER_ROLE, "r")) == ("ClusterRole", "", "r")
    assert key_of(config("a")) == ("ConfigMap", "tenants", "a")


async def test_what_was_applied_and_stands_is_not_sent_again() -> None:
    server = Server()
    hands = applier(server)
    first = await hands.apply(OWNER, "p", [config("a"), config("b")], {})
    again = await hands.apply(OWNER, "p", [config("a"), config("b")], live(*first))
    assert server.applied == ["a", "b"]
    assert again == first


async def test_what_was_touched_or_is_said_otherwise_is_sent_again() -> None:
    server = Server()
    hands = applier(server)
    (first,) = await hands.apply(OWNER, "p", [config("a")], {})
    touched = {**first, "metadata": {**first["metadata"], "resourceVersion": "99"}}
    await hands.apply(OWNER, "p", [config("a")], live(touched))
    await hands.apply(OWNER, "p", [config("a", "other")], live(first))
    assert server.applied == ["a", "a", "a"]


async def test_after_a_restart_what_the_server_recorded_is_enough() -> None:
    server = Server()
    (first,) = await applier(server).apply(OWNER, "p", [config("a")], {})
    labels = {f"f:{key}": {} for key in meta.labels_of(first)}
    recorded = {"f:metadata": {"f:labels": labels}, "f:data": {"f:key": {}}}
    entry = {"manager": "kamaji", "operation": "Apply", "apiVersion": "v1", "fieldsV1": recorded}
    stands = {**first, "metadata": {**first["metadata"], "managedFields": [entry]}}
    assert await applier(server).apply(OWNER, "p", [config("a")], live(stands)) == [stands]
    assert server.applied == ["a"]


async def test_results_come_in_the_order_given_and_not_all_at_once() -> None:
    server = Server()
    given = [config(f"c{number}") for number in range(3 * apply.AT_ONCE)]
    found = await applier(server).apply(OWNER, "p", given, {})
    assert [each["metadata"]["name"] for each in found] == [each["metadata"]["name"] for each in given]
    assert server.most_at_once == apply.AT_ONCE


async def test_all_are_tried_and_then_the_first_error_is_raised() -> None:
    server = Server(refuses="a")
    with pytest.raises(Refused, match="a is invalid"):
        await applier(server).apply(OWNER, "p", [config("a"), config("b")], {})
    assert server.applied == ["a", "b"]


async def test_what_a_part_no_longer_says_is_deleted_and_nothing_else() -> None:
    server = Server()
    ours = {names.LABEL_PROJECT: names.PROJECT, names.LABEL_PART: "p"}
    found = live(
        config("kept", labels=ours, uid="1"),
        config("dropped", labels=ours, uid="2"),
        config("ending", labels=ours, uid="3", deletionTimestamp="2026-11-24T00:00:00Z"),
        config("another-part", labels=ours | {names.LABEL_PART: "q"}, uid="4"),
        config("a-users", labels={names.LABEL_PART: "p"}, uid="5"),
        config("unlabelled", uid="6"),
    )
    ended = await applier(server).prune("p", [config("kept")], found)
    assert server.deleted == ["ConfigMap tenants/dropped 2"], "by uid, so that one of the same name made anew is safe"
    assert ended == [("ConfigMap", "tenants", "dropped")]
