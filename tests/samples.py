"""The samples that users begin with: config/samples, as files and as objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "config" / "samples"
TOLD = ROOT / "docs" / "samples.md"
SAMPLES = sorted(FOLDER.glob("*.yaml"))
DATABASES = sorted((FOLDER / "databases").glob("*.yaml"))
"""They have a folder of their own, which `kubectl apply -f` of the other passes over: nobody has all of these servers."""


def documents(file: Path) -> list[dict[str, Any]]:
    """The objects of a sample, in order."""
    return [each for each in yaml.safe_load_all(file.read_text()) if each]
