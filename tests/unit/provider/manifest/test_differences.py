"""Where two objects differ is told by names alone: never by a value, which may be a secret."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.manifest import compare

KEYS = st.sampled_from(["name", "args", "image", "a.example/b", "env"])
SECRET = st.sampled_from(["hunter2-one", "hunter2-two"])
VALUES = st.recursive(
    SECRET
    | st.none()
    | st.sampled_from(["--a", "--b"]).flatmap(lambda flag: SECRET.map(lambda each: f"{flag}={each}")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS.filter(lambda each: each != "name"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_no_difference_is_told_exactly_where_there_is_none_and_no_value_ever(one: Any, other: Any) -> None:
    found = list(compare.differences({"x": one}, {"x": other}))
    assert bool(found) != compare.equal({"x": one}, {"x": other})
    assert "hunter2" not in " ".join(found)


def pod(*args: str, image: str = "a", **labels: str) -> dict[str, Any]:
    containers = [{"name": "kube-apiserver", "args": list(args), "image": image}]
    return {"metadata": {"labels": labels}, "spec": {"containers": containers}}


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (pod(), pod(image="b"), ["spec.containers[kube-apiserver].image"]),
        (pod("--a=1"), pod("--a=2"), ["spec.containers[kube-apiserver].args[--a]"]),
        (pod("--a=1"), pod("--a=1", "--b=2"), ["spec.containers[kube-apiserver].args[--b]"]),
        (pod("--a=1", "--b=2"), pod("--b=2", "--a=1"), ["spec.containers[kube-apiserver].args (order)"]),
        (pod("serve"), pod("serve", "on"), ["spec.containers[kube-apiserver].args"]),
        (pod("--a=1", "--a=2"), pod("--a=1", "--a=3"), ["spec.containers[kube-apiserver].args"]),
        (pod(**{"x.example/ca": "1"}), pod(**{"x.example/ca": "2"}), ["metadata.labels[x.example/ca]"]),
        ({"spec": None}, {}, []),
        ({"spec": {"a": {}}}, {"spec": {}}, []),
    ],
)
def test_what_differs_is_named(one: Any, other: Any, told: list[str]) -> None:
    assert list(compare.differences(one, other)) == told
