"""What a run says of itself in pytest's JUnit file, for docs/conformance.md, which config/conformance.py makes of it.

Called by tests/conftest.py, in the process that writes the file.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from _pytest.junitxml import xml_key

from lab import programs

ROOT = Path(__file__).parents[1]


def describe(config: pytest.Config) -> None:
    """The versions it runs with, the commit, and by what single tests were chosen: empty when whole files were."""
    if (xml := config.stash.get(xml_key, None)) is None:
        return
    for name in ("cluster-api", "kubernetes"):
        xml.add_global_property(name, programs.modules()[name].version)
    xml.add_global_property("commit", commit())
    named = [each for each in config.args if "::" in each]
    options = (getattr(config.option, each, None) for each in ("keyword", "deselect", "lf"))
    chosen = [*named, *(str(each) for each in options if each)]
    xml.add_global_property("choice", " ".join(chosen))


def commit() -> str:
    """Of the sources, `-dirty` when they differ; a tree without a history has none."""
    words = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
