"""Whether an object stands as we would apply it, told from managedFields: yes only when applying would change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from provider.cluster import ownership

MANAGER = "kamaji"
LABELS = {"part": "p"}  # the applier gives every object some
OURS = {"f:labels": {"f:part": {}}}


def live(fields: dict[str, Any], **body: Any) -> dict[str, Any]:
    entry = {"manager": MANAGER, "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": fields}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "uid": "u", "labels": dict(LABELS), "managedFields": [entry]},
        **body,
    }


def desired(**body: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "labels": dict(LABELS)},
        **body,
    }


def stands(wanted: dict[str, Any], found: dict[str, Any], *, exact: bool = True) -> bool:
    fields = ownership.fields_of(found, MANAGER)
    assert fields is not None
    return ownership.stands(wanted, found, fields, exact=exact)


SPEC = {"f:metadata": OURS, "f:spec": {"f:replicas": {}, "f:paused": {}}}


def test_what_was_applied_and_not_touched_stands() -> None:
    assert stands(desired(spec={"replicas": 2, "paused": False}), live(SPEC, spec={"replicas": 2, "paused": False}))


def test_what_others_added_beside_ours_does_not_matter() -> None:
    found = live(SPEC, spec={"replicas": 2, "paused": False, "progressDeadlineSeconds": 600}, status={"replicas": 2})
    found["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
    assert stands(desired(spec={"replicas": 2, "paused": False}), found)


@pytest.mark.parametrize(
    "wanted",
    [
        {"replicas": 3, "paused": False},
        {"replicas": 2},
        {"replicas": 2, "paused": False, "minReadySeconds": 1},
        {"replicas": 2, "paused": None},
        {},
    ],
    ids=["another value", "a field less", "a field more", "a field no longer said", "nothing"],
)
def test_when_we_would_say_something_else_it_does_not_stand(wanted: dict[str, Any]) -> None:
    assert not stands(desired(spec=wanted), live(SPEC, spec={"replicas": 2, "paused": False}))


def test_a_null_is_the_same_as_not_said() -> None:
    fields = {"f:metadata": OURS, "f:spec": {"f:replicas": {}}}
    assert stands(desired(spec={"replicas": 2, "paused": None}), live(fields, spec={"replicas": 2}))


def test_when_somebody_removed_a_field_it_does_not_stand() -> None:
    assert not stands(desired(spec={"replicas": 2, "paused": True}), live(SPEC, spec={"replicas": 2}))


def test_labels_are_compared_and_names_are_not() -> None:
    found = live({"f:metadata": OURS})
    found["metadata"]["labels"]["theirs"] = "x"
    assert stands(desired(), found)
    found["metadata"]["labels"]["part"] = "q"
    assert not stands(desired(), found)


def test_an_annotation_that_we_said_and_no_longer_say_does_not_stand() -> None:
    found = live({"f:metadata": {**OURS, "f:annotations": {"f:a": {}}}})
    found["metadata"]["annotations"] = {"a": "1"}
    assert not stands(desired(), found)


@pytest.mark.parametrize(
    "entry",
    [
        {"manager": "other"},
        {"operation": "Update"},
        {"subresource": "status"},
        {"apiVersion": "apps/v1beta1"},
    ],
    ids=["another manager", "an update", "the status", "another version"],
)
def test_only_our_own_apply_in_this_version_counts(entry: dict[str, str]) -> None:
    found = live(SPEC)
    found["metadata"]["managedFields"][0] |= entry
    assert ownership.fields_of(found, MANAGER) is None


def test_an_object_without_records_was_never_applied() -> None:
    found = live(SPEC)
    del found["metadata"]["managedFields"]
    assert ownership.fields_of(found, MANAGER) is None


KEYED = {
    "f:metadata": OURS,
    "f:env": {
        'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}},
        'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}},
    },
}
A, B, C = ({"name": name, "value": name.lower()} for name in "ABC")


@pytest.mark.parametrize(
    ("wanted", "found", "answer"),
    [
        ([A, B], [A, B], True),
        ([A, B], [A, C, B], True),
        ([A, B], [A | {"extra": 1}, B], True),
        ([A, B], [B, A], False),
        ([B, A], [B, A], True),
        ([A], [A, B], False),
        ([A, B, C], [A, B, C], False),
        ([A, B | {"value": "x"}], [A, B], False),
        ([A, B], [A], False),
        ([A, A], [A, B], False),
        ([A, B], None, False),
    ],
    ids=[
        "as it is",
        "somebody else's item between",
        "a default in an item",
        "in another order",
        "in the order we say",
        "an item less",
        "an item more",
        "another value",
        "an item is gone",
        "an item twice",
        "the list is gone",
    ],
)
def test_items_of_a_keyed_list_are_found_by_their_keys_and_their_order_counts(
    wanted: list[Any], found: list[Any] | None, answer: bool
) -> None:
    assert stands(desired(env=wanted), live(KEYED, env=found)) is answer


def test_a_key_that_the_server_defaulted_is_not_missed() -> None:
    fields = {
        "f:metadata": OURS,
        "f:ports": {'k:{"containerPort":53,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
    }
    assert stands(
        desired(ports=[{"containerPort": 53}]), live(fields, ports=[{"containerPort": 53, "protocol": "TCP"}])
    )


def test_members_of_a_set_may_come_in_any_order() -> None:
    fields = {"f:metadata": OURS, "f:finalizers": {'v:"a"': {}, 'v:"b"': {}}}
    assert stands(desired(finalizers=["b", "a"]), live(fields, finalizers=["a", "b", "theirs"]))
    assert not stands(desired(finalizers=["a", "c"]), live(fields, finalizers=["a", "b", "c"]))
    assert not stands(desired(finalizers=["a", "b"]), live(fields, finalizers=["a"]))


def test_a_whole_is_compared_exactly_unless_it_is_known_to_be_what_was_applied_last() -> None:
    fields = {"f:metadata": OURS, "f:selector": {}}
    wanted, found = desired(selector={"a": "1"}), live(fields, selector={"a": "1", "defaulted": True})
    assert not stands(wanted, found, exact=True)
    assert stands(wanted, found, exact=False)
    assert not stands(wanted, live(fields, selector={"a": "2"}), exact=False)


def test_an_item_by_position_is_never_trusted() -> None:
    fields = {"f:metadata": OURS, "f:args": {"i:0": {}}}
    assert not stands(desired(args=["a"]), live(fields, args=["a"]))


def test_a_thing_that_became_another_does_not_stand() -> None:
    assert not stands(desired(spec="text"), live(SPEC, spec={"replicas": 2, "paused": False}))
    assert not stands(desired(spec={"replicas": 2, "paused": False}), live(SPEC, spec="text"))


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ({}, None, True),
        ([], None, True),
        ("", None, True),
        (0, None, True),
        (False, None, True),
        ({"a": None}, {}, True),
        ({"a": ""}, {}, True),
        (0, False, True),
        ("", [], False),
        (0, "", False),
        ([1], [1, 2], False),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": None}]}, True),
        ({"a": 1}, {"a": 2}, False),
    ],
)
def test_what_go_leaves_out_is_the_same_as_empty(one: Any, other: Any, answer: bool) -> None:
    assert ownership.equal(one, other) is answer
    assert ownership.equal(other, one) is answer


def test_contained_lets_the_other_say_more_in_objects_but_not_in_lists() -> None:
    assert ownership.contained({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}], "d": 3})
    assert not ownership.contained({"a": [1]}, {"a": [1, 2]})
    assert not ownership.contained({"a": 1}, {})
