"""Upstream's conditions of a DataStore and ours: what exists, what answered, who uses it, whether it may go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provider.hosting.observe.datastore import heaviest
from provider.hosting.status import datastore as status
from provider.hosting.storeview import Look, Trial, store_of
from provider.manifest import Manifest
from provider.manifest.condition import timestamp
from tests.unit.provider.hosting.datastore.store_views import NOW, SECRETS, manifest, store_view

MI = 2**20
GOOD = Trial(ready=True, reason="Ready", message="it answers")
DEAD = Trial(ready=False, reason="Unreachable", message="no endpoint answers")
VALIDATION = "kamaji.clastix.io/DataStoreValidation"
DELETION = "kamaji.clastix.io/DataStoreAllowedDeletion"


def reasons(found: dict[str, object]) -> dict[str, tuple[str, str]]:
    conditions = found["conditions"]
    assert isinstance(conditions, list)
    return {each["type"]: (each["status"], each["reason"]) for each in conditions}


def test_a_store_that_answers_is_ready() -> None:
    found = status.of(store_view(manifest(), *SECRETS, users=("a/x", "b/y")), GOOD)
    assert (found["ready"], found["usedBy"], found["observedGeneration"]) == (True, ["a/x", "b/y"], 3)
    assert reasons(found) == {VALIDATION: ("True", "DataStoreIsValid"), "Ready": ("True", "Ready")}


def test_a_store_that_is_valid_and_dead_is_not_ready() -> None:
    found = status.of(store_view(manifest(), *SECRETS), DEAD)
    assert found["ready"] is False
    assert reasons(found) == {VALIDATION: ("True", "DataStoreIsValid"), "Ready": ("False", "Unreachable")}


def test_a_missing_secret_is_upstreams_word_for_it() -> None:
    found = status.of(store_view(manifest(), SECRETS[0]), DEAD)
    assert reasons(found)[VALIDATION] == ("False", "TLSConfigurationValidationFailed")


def test_saying_the_same_again_changes_nothing() -> None:
    first = status.of(store_view(manifest(), *SECRETS), GOOD)
    later = replace(store_view(manifest() | {"status": first}, *SECRETS), now=NOW.replace(year=2027))
    assert status.of(later, GOOD) == first


def test_a_used_store_may_not_go_and_names_its_users() -> None:
    found = status.ending(store_view(manifest(), *SECRETS, users=("a/x", "b/y")))
    assert reasons(found)[DELETION] == ("False", "DataStoreStillUsed")
    assert "a/x, b/y" in next(each["message"] for each in found["conditions"] if each["type"] == DELETION)
    assert found["ready"] is False


def test_an_unused_store_may_go() -> None:
    found = status.ending(store_view(manifest(), *SECRETS))
    assert reasons(found)[DELETION] == ("True", "DataStoreUnused")


def test_a_message_names_ten_users_and_counts_the_rest() -> None:
    users = tuple(f"n/{number:02}" for number in range(13))
    assert status.listed(users).endswith("n/09 and 3 more")
    assert status.listed(users[:10]).endswith("n/08, n/09")


def seen(size: int, in_use: int, version: str = "3.6.16") -> Trial:
    look = Look(version=version, identity="abc", revision=7, size=size, in_use=in_use, quota=1000 * MI)
    return replace(GOOD, look=look)


@pytest.mark.keeps("better.usage")
def test_how_full_it_is_is_told_again_when_it_moved_far() -> None:
    first = status.of(store_view(manifest(), *SECRETS, users=("a/x",)), seen(400 * MI, 300 * MI))
    assert first["load"] == {"size": 400 * MI, "inUse": 300 * MI, "quota": 1000 * MI, "tenants": 1}
    assert (first["version"], first["clusterID"]) == ("3.6.16", "abc")
    assert "lastRestored" not in first
    stands = manifest() | {"status": first}
    assert status.of(store_view(stands, *SECRETS, users=("a/x",)), seen(430 * MI, 320 * MI)) == first
    moved = status.of(store_view(stands, *SECRETS, users=("a/x",)), seen(500 * MI, 320 * MI))
    assert moved["load"]["size"] == 500 * MI
    away = status.of(store_view(stands, *SECRETS, users=("a/x",)), DEAD)
    assert away["load"] == first["load"], "what was said stands while nobody answers"


@pytest.mark.keeps("better.upkeep")
def test_a_store_without_room_names_the_heaviest_tenants() -> None:
    def space(trial: Trial) -> tuple[str, str]:
        view = replace(store_view(manifest(), *SECRETS), heaviest=("a/x (700Mi, 3 writes a minute)",))
        (found,) = [each for each in status.of(view, trial)["conditions"] if each["type"] == "HasSpace"]
        assert found["status"] == "True" or "a/x (700Mi" in found["message"]
        return found["status"], found["reason"]

    assert space(seen(900 * MI, 700 * MI)) == ("True", "HasSpace")
    assert space(seen(900 * MI, 801 * MI)) == ("False", "NearlyFull")
    full = Trial(ready=False, reason="Alarm", message="alarm NOSPACE is on: its database is full")
    assert space(full) == ("False", "Full")


def test_when_its_data_went_back_is_told_with_the_time_and_stays_as_does_when_its_auth_was_off() -> None:
    view = store_view(manifest(), *SECRETS)
    found = status.of(view, seen(1, 1), restored=True) | {"lastUnguarded": timestamp(NOW)}
    assert found["lastRestored"] == timestamp(NOW)
    later = replace(store_view(manifest() | {"status": found}, *SECRETS), now=NOW.replace(year=2027))
    assert status.of(later, seen(1, 1)) == found


def test_another_version_another_cluster_or_another_past_makes_a_store_another() -> None:
    lineages = set()
    for said in ({}, {"version": "3.7.1"}, {"clusterID": "abc"}, {"lastRestored": "a"}, {"lastUnguarded": "a"}):
        view = store_view(manifest(), *SECRETS)
        lineages.add(store_of(view.datastore, manifest() | {"status": {"ready": True, **said}}, view.secrets).lineage)
    assert len(lineages) == 5


def test_the_heaviest_are_those_whose_main_store_it_is_at_most_three() -> None:
    def tenant(name: str, store: str, size: int) -> Manifest:
        usage = {"bytes": size * MI, "writesPerMinute": 9}
        storage = {"dataStoreName": store, "usage": usage}
        return {"metadata": {"namespace": "n", "name": name}, "status": {"storage": storage}}

    everybody = [tenant(f"t{size}", "store", size) for size in (3, 9, 5, 7)] + [tenant("other", "elsewhere", 99)]
    found = heaviest([*everybody, {"metadata": {"namespace": "n", "name": "new"}}], "store")
    assert found == tuple(f"n/t{size} ({size}Mi, 9 writes a minute)" for size in (9, 7, 5))
