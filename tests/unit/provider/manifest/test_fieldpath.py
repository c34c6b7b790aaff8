"""Dotted paths: names with dots in them can be written, and what is no path is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.manifest import fieldpath

DOCUMENT = {
    "metadata": {"name": "demo", "labels": {"example.com/team": "a", "back\\slash": "b"}},
    "spec": {"list": [1]},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "demo"),
        (r"metadata.labels.example\.com/team", "a"),
        (r"metadata.labels.back\\slash", "b"),
        (r"m\etadata.name", "demo"),
        ("spec.list", [1]),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: object) -> None:
    assert fieldpath.at(DOCUMENT, path) == value


@pytest.mark.parametrize(
    "path", ["metadata.uid", "metadata.name.first", "metadata.labels.example.com/team", "spec.list.0"]
)
def test_a_path_that_leads_nowhere_is_told(path: str) -> None:
    with pytest.raises(KeyError):
        fieldpath.at(DOCUMENT, path)


@pytest.mark.parametrize("path", ["", ".", ".metadata", "metadata..name", "metadata.", "metadata.name\\"])
def test_what_is_no_path_is_told(path: str) -> None:
    with pytest.raises(ValueError):
        fieldpath.at(DOCUMENT, path)


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4))
def test_any_names_can_be_written_as_a_path(names: list[str]) -> None:
    path = ".".join(each.replace("\\", "\\\\").replace(".", "\\.") for each in names)
    assert list(fieldpath.segments(path)) == names
