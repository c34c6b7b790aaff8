"""Files of the e2e ring are shared out by a table of how long they take: it names each that runs, and none that is gone."""

from __future__ import annotations

from pathlib import Path

from tests.e2e import sharing

FOLDER = Path(__file__).parents[1] / "e2e"
ALONE = {"test_births.py", "test_rotation_proof.py", "test_rotation_soak.py"}  # of `make soak` alone


def test_the_table_of_how_long_files_take_names_every_file_and_no_other() -> None:
    assert {each.name for each in FOLDER.rglob("test_*.py")} - ALONE == sharing.SECONDS.keys(), (
        "write into tests/e2e/sharing.py about how many seconds a file takes"
    )
    assert set(sharing.FIRST) <= sharing.SECONDS.keys()


def test_what_needs_both_labs_begins_and_a_file_that_is_new_comes_before_the_short_ones() -> None:
    files = sorted(["test_new.py", *sharing.SECONDS], key=sharing.order)
    assert files[0] == "test_two_clusters.py"
    assert files.index("test_new.py") < files.index("test_tenant.py")
