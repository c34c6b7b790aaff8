"""Each of upstream's rules and weak spots has its test here, or says why it has none; docs/promises.md tells which."""

from __future__ import annotations

import pytest

from docs import evidence, promises

KEPT = promises.kept()
ALL = [each for section in promises.TITLES for each in promises.table()[section]]


@pytest.mark.parametrize("promise", ALL, ids=lambda each: each.name)
def test_a_promise_has_a_test_or_says_why_not(promise: promises.Promise) -> None:
    assert bool(KEPT.get(promise.name)) != bool(promise.untested), (
        f"mark a test with @pytest.mark.keeps({promise.name!r})"
    )


def test_a_marker_names_promises_that_there_are() -> None:
    assert set(KEPT) <= {each.name for each in ALL}
    assert set(promises.table()) == set(promises.TITLES)


def test_the_page_is_what_promises_and_markers_make() -> None:
    assert (evidence.ROOT / "docs" / "promises.md").read_text() == promises.page(), "run `make generate`"
