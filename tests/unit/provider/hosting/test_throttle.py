"""Who filled a store and is held back: when it is clear who it was, what its passes make of the record, what is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api.verdict import Invalid
from provider.hosting import quota
from provider.hosting.desired import writepermissions
from provider.hosting.reconcile import throttling
from provider.hosting.status import quota as condition
from provider.hosting.status import transitions
from provider.hosting.view import Seen, View
from provider.manifest import Manifest
from tests.unit.provider.hosting.test_tenant_status import view

RECORD = {
    "dataStore": "shared",
    "since": "2026-11-30T10:00:00Z",
    "until": "2026-11-30T10:05:00Z",
    "reason": "it wrote 91% of what came last into DataStore shared, which was full",
}
CLOSED = RECORD | {"closedUntil": "2026-11-30T10:01:00Z"}


def held(record: dict[str, str] | None, *, store: str = "shared", policy: bool = False, **limits: str) -> View:
    found = view()
    annotations = {f"x.kamaji.clastix.io/storage-{each}-limit": size for each, size in limits.items()}
    storage: dict[str, Any] = {"dataStoreName": store, "usage": {"bytes": 5 * 2**20}}
    storage |= {"throttled": record} if record else {}
    stands: list[Manifest] = [
        {"kind": "ValidatingAdmissionPolicy", "metadata": {"name": writepermissions.OBJECT}},
    ]
    return replace(
        found,
        raw={
            **found.raw,
            "metadata": {**found.raw["metadata"], "annotations": annotations},
            "status": {"storage": storage},
        },
        tenant=Seen().with_objects(*(stands if policy else [])),
    )


def words(found: View) -> list[str]:
    """What the policy inside says, none without one."""
    return [each["message"] for made in writepermissions.build(found) for each in made["spec"].get("validations", ())]


def status(found: View) -> dict[str, Any]:
    said = [{"type": each.type, "status": each.status, "reason": each.reason} for each in condition.conditions(found)]
    return {"conditions": [each | {"message": ""} for each in said]}


def test_who_is_limited_reads_in_kubectl_why_and_may_delete() -> None:
    (policy, _) = writepermissions.build(held(RECORD))
    rules = policy["spec"]["matchConstraints"]["resourceRules"]
    assert {operation for each in rules for operation in each["operations"]} == {"CREATE", "UPDATE"}
    (message,) = words(held(RECORD))
    assert "the store it shares with others was full" in message
    assert len(words(held(RECORD, hard="4Mi"))) == 2, "and the hard limit says its own"
    assert words(held(None)) == []


def test_while_the_store_is_closed_nothing_is_written_inside_and_what_stands_there_stays() -> None:
    assert words(held(CLOSED)) == []
    assert len(words(held(CLOSED, policy=True))) == 1


def test_the_condition_says_what_it_was_and_what_is_refused_and_goes_before_limits() -> None:
    (closed,) = condition.conditions(held(CLOSED, soft="2Mi"))
    assert (closed.type, closed.status, closed.reason) == ("StorageWithinLimits", "False", "HeldBack")
    assert "it wrote 91% of what came last" in closed.message
    assert "deletions too" in closed.message
    (limited,) = condition.conditions(held(RECORD, soft="nonsense"))
    assert "can be read and deleted" in limited.message


def test_it_is_told_once_when_it_begins_and_once_when_it_ends() -> None:
    free, closed, limited = (status(held(each)) for each in (None, CLOSED, RECORD))
    assert [each.reason for each in transitions.of(free, closed) if each.warning] == ["HeldBack"]
    assert list(transitions.of(closed, limited)) == []
    assert [each.reason for each in transitions.of(limited, free)] == ["StorageWithinLimits"]


def test_who_went_to_another_store_is_free_there() -> None:
    assert quota.throttle(held(CLOSED, store="own").raw) is None
    assert quota.throttle(held(CLOSED).raw) is not None
    assert words(held(RECORD, store="own")) == []


def test_a_provider_that_would_shut_itself_out_says_so_instead() -> None:
    found = held(RECORD)
    found.raw["metadata"]["annotations"]["kamaji.clastix.io/kubeconfig-secret-key"] = "admin.conf"
    with pytest.raises(Invalid, match="kubeconfig-secret-key"):
        list(writepermissions.build(found))


@given(written=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10_000)))
def test_it_is_clear_who_it_was_where_one_wrote_twice_as_much_as_all_others(written: dict[str, int]) -> None:
    found = throttling._suspect(written)
    clear = [each for each, size in written.items() if size and size >= 2 * (sum(written.values()) - size)]
    assert ([found.schema] if found else []) == clear
