"""docs/tutorial.md as somebody reads it: every block word for word and in order, in a lab of its own.

What mends a tenant that was broken is what `kamaji explain` has printed right before, and the page says the same.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from docs.evidence import ROOT
from lab import steps
from lab.state import Lab
from tests import blocks
from tests.blocks import Block

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a lab makes namespaces: run as root"),
    pytest.mark.nightly,  # a third lab, for ten minutes
]
NAME = "tutorial"
PAGE = ROOT / "docs" / "tutorial.md"
RUN = ".venv/bin/lab run -- "
EXPLAIN = f"{RUN}.venv/bin/kamaji explain toy"
WAYS = 5
LONGEST = 900  # seconds for a block; a bound against hanging for ever


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The page says `lab` without a name; the environment gives it one that nobody else has."""
    found = Lab(NAME)
    yield found
    steps.down(found)
    (ROOT / "mine.kubeconfig").unlink(missing_ok=True)


def typed(commands: str) -> subprocess.CompletedProcess[str]:
    """In a shell, in the clone; the first command that fails ends it."""
    inherited = {key: value for key, value in os.environ.items() if key not in ("KUBECONFIG", "PYTEST_CURRENT_TEST")}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands],
        cwd=ROOT,
        env={**inherited, "CAPI_KAMAJI_LAB": NAME},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )


def breaks(block: Block) -> bool:
    """Whether the tenant is not as it should be at its end; `explain` says so by its exit status, too."""
    return EXPLAIN in block.commands.splitlines()[-1:] and "This mends it:" in block.shown


def printed() -> str:
    """The command by which `explain` mends the tenant, which is broken in one way."""
    said = typed(f"{EXPLAIN} -o json")
    (finding,) = json.loads(said.stdout)["findings"]
    (command,) = finding["mend"]
    return str(command)


def test_the_tutorial_word_for_word_with_five_breaks_mended_by_what_explain_says(lab: Lab) -> None:
    page = blocks.of(PAGE)
    assert sum(map(breaks, page)) == WAYS
    mending = ""
    for block in page:
        if mending:
            first = block.commands.splitlines()[0].removeprefix(RUN).removeprefix(".venv/bin/")
            assert first == mending, "the page mends it by what explain has printed"
        done = typed(block.commands)
        said = done.stdout + done.stderr
        assert done.returncode == (1 if breaks(block) else 0), f"{block.commands}\n{said}"
        assert block.missing(done.stdout) is None, f"{block.commands}\nlacks {block.missing(done.stdout)!r}:\n{said}"
        mending = printed() if breaks(block) else ""
    assert not lab.root.exists(), "nothing is left of the lab"
