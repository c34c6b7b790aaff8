"""The patch between two objects, applied as RFC 7386 says, gives the second."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from provider.manifest import mergepatch

# RFC 7386 cannot say "set to null", so values are never None.
values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=3), values, max_size=5)


def applied(target: Any, patch: Any) -> Any:
    """The algorithm of RFC 7386 section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = applied(result.get(key), value)
    return result


@given(objects, objects)
def test_the_patch_makes_the_second_of_the_first(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert applied(before, mergepatch.between(before, after)) == after


@given(objects)
def test_equal_objects_need_no_patch(value: dict[str, Any]) -> None:
    assert mergepatch.between(value, value) == {}


def test_layers_are_merged_key_by_key() -> None:
    assert mergepatch.merged({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 3}}) == {"a": {"b": 3, "c": 2}}


@given(objects, objects)
def test_a_layer_is_merged_as_a_patch_is(base: dict[str, Any], layer: dict[str, Any]) -> None:
    assert mergepatch.merged(base, layer) == applied(base, layer)


def test_a_null_takes_a_key_away_and_leaves_no_trace_where_there_was_none() -> None:
    assert mergepatch.merged({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"c": 2}}
    assert mergepatch.merged({}, {"a": {"b": None}, "c": None}) == {"a": {}}


@given(objects, objects)
def test_what_merged_lays_over_is_what_the_patch_between_undoes(before: dict[str, Any], layer: dict[str, Any]) -> None:
    laid = mergepatch.merged(before, layer)
    assert applied(before, mergepatch.between(before, laid)) == laid
    assert applied(laid, mergepatch.between(laid, before)) == before


@given(objects, objects)
def test_a_layer_laid_twice_is_laid_once(base: dict[str, Any], layer: dict[str, Any]) -> None:
    once = mergepatch.merged(base, layer)
    assert mergepatch.merged(once, layer) == once
    assert mergepatch.between(once, mergepatch.merged(base, layer, layer)) == {}


@given(objects, objects)
def test_nothing_that_is_given_is_changed(base: dict[str, Any], layer: dict[str, Any]) -> None:
    copies = copy.deepcopy((base, layer))
    mergepatch.merged(base, layer)
    mergepatch.between(base, layer)
    assert (base, layer) == copies


def test_a_field_that_is_gone_is_said_to_be_null() -> None:
    assert mergepatch.between({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}) == {"a": {"b": None}}


def test_lists_are_replaced_whole() -> None:
    assert mergepatch.between({"a": [1, 2]}, {"a": [1]}) == {"a": [1]}
