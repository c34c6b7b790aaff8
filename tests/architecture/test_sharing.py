"""Files of the long rings are shared out by a table of how long they take: all of the e2e ring, and none that is gone."""

from __future__ import annotations

import re

from tests import sharing

ALONE = {"test_births.py", "test_rotation_proof.py", "test_rotation_soak.py"}  # of `make soak` alone


def test_the_table_of_how_long_files_take_names_every_file_of_the_e2e_ring() -> None:
    files = {each for each in (sharing.RING / "e2e").rglob("test_*.py") if each.name not in ALONE}
    there = {each.relative_to(sharing.RING).as_posix() for each in files}
    told = {each for each in sharing.SECONDS if each.startswith("e2e/")}
    assert there == told, "write into tests/sharing.py about how many seconds a file takes"
    assert set(sharing.FIRST) <= told


def test_the_table_names_no_file_that_is_gone() -> None:
    assert [each for each in sharing.SECONDS if not (sharing.RING / each).is_file()] == []


def test_what_needs_both_labs_begins() -> None:
    first = min((sharing.RING / each for each in sharing.SECONDS), key=sharing.order)
    assert first.name == "test_two_clusters.py"


def test_whose_machines_live_in_memory_come_one_after_another() -> None:
    files = (sharing.RING / "conformance").glob("test_*.py")
    using = {each for each in files if re.search(r"in_memory|scale import clusters", each.read_text())}
    assert {each.relative_to(sharing.RING.parent).as_posix() for each in using} == sharing.ONE_AFTER_ANOTHER
    assert min(using, key=sharing.order).name == "test_a22_many_clusters.py"
