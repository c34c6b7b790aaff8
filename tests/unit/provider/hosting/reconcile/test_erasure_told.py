"""The end of a tenant is told with the count that was looked at."""

from __future__ import annotations

import pytest

from provider.hosting.reconcile.erasure import happening
from provider.hosting.view import Keyspace


@pytest.mark.keeps("better.orphans")
def test_an_erasure_says_that_nothing_is_left_of_what_and_where() -> None:
    said = happening(Keyspace(schema="id", user="id"), ["two", "one"])
    assert (said.reason, said.action, said.warning) == ("KeyspaceErased", "Erase", False)
    assert said.note == "0 keys of keyspace id are left in DataStore one, two, and neither its user nor its role"
