"""What the cache keeps is made once, also when two labs ask for it at one time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import images


def test_of_two_that_want_the_same_one_makes_it_and_the_other_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: list[Path] = []

    def make(target: Path) -> None:
        made.append(target)
        time.sleep(0.1)
        target.write_text("whole")

    with ThreadPoolExecutor(2) as both:
        found = list(both.map(lambda _: images.cached("images", "one.tar", make=make), range(2)))
    assert len(made) == 1
    assert {each.read_text() for each in found} == {"whole"}


def test_what_a_killed_one_left_half_made_is_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        images.cached("images", "one.tar", make=half)
    found = images.cached("images", "one.tar", make=whole)
    assert found.read_text() == "whole"
    assert [each.name for each in found.parent.iterdir()] == ["one.tar"]


def half(target: Path) -> None:
    target.write_text("half")
    raise KeyboardInterrupt


def whole(target: Path) -> None:
    target.write_text("whole")
