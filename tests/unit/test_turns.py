"""Tests of two labs take turns: who is to be alone is, and is not overtaken while it waits."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.turns import turn


def test_whoever_comes_after_one_that_waits_to_be_alone_stands_behind_it(tmp_path: Path) -> None:
    seen: list[str] = []
    beside, over = threading.Event(), threading.Event()

    def one(name: str, *, alone: bool) -> None:
        with turn(tmp_path, alone=alone):
            seen.append(name)
            if name == "first":
                beside.set()
                over.wait(60)
            seen.append(f"{name} ends")

    first = threading.Thread(target=one, args=("first",), kwargs={"alone": False})
    first.start()
    assert beside.wait(60)
    others = []
    for name, alone in (("alone", True), ("later", False)):
        others.append(threading.Thread(target=one, args=(name,), kwargs={"alone": alone}))
        others[-1].start()
        time.sleep(0.2)
    assert seen == ["first"], "the one waits for who is at work, the other for who waits"
    over.set()
    for each in (first, *others):
        each.join(60)
    assert seen == ["first", "first ends", "alone", "alone ends", "later", "later ends"]


def test_who_need_not_be_alone_are_there_at_one_time(tmp_path: Path) -> None:
    with turn(tmp_path, alone=False), turn(tmp_path, alone=False):
        pass
