"""Each field of a TenantControlPlane that shapes what is made is shown to do so, alone, where it should and nowhere else."""

from __future__ import annotations

import pytest
import yaml

from tests.unit.provider.hosting import effects

TABLE = effects.table()


@pytest.mark.fields("TenantControlPlane", *TABLE)
@pytest.mark.parametrize("path", TABLE)
def test_a_field_changes_what_it_is_there_for_and_nothing_else(path: str) -> None:
    row = TABLE[path]
    found = effects.changed(row, path)
    assert effects.meets(found, row.shows), f"{path} changes\n{yaml.safe_dump(found, width=200)}"


def test_a_field_that_nobody_reads_changes_nothing_and_no_row_expects_that() -> None:
    assert effects.changed(effects.Effect("x", {}), "spec.kubernetes.nobodyReadsThis") == {}
    assert all(row.shows for row in TABLE.values())


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"a": 1}, {}),
        ({}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 2}}),
        ({"a": "text"}, {"a": "… word"}),
        ({"a": ["x"]}, {"a": "… y"}),
        ("(gone)", "(new)"),
        ("text", "(new)"),
    ],
)
def test_what_a_row_does_not_expect_does_not_pass(said: object, expected: object) -> None:
    assert not effects.meets(said, expected)
