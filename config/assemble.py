"""Assembles `clusterctl/control-plane-components.yaml` from config/. Run by `make generate`; a test fails when it is stale.

Rules of the result: the clusterctl provider contract (one Namespace, provider label on everything, container `manager`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TARGET = HERE.parent / "clusterctl" / "control-plane-components.yaml"
HEAD = "# Assembled from config/ by `make generate`; edit there.\n"
SOURCES = ("manager/namespace.yaml", "crd", "rbac", "manager/deployment.yaml")
LABEL = {"cluster.x-k8s.io/provider": "control-plane-kamaji"}


def assembled() -> str:
    """The whole file."""
    documents = [_labelled(each) for source in SOURCES for each in _documents(HERE / source)]
    return HEAD + yaml.safe_dump_all(documents, sort_keys=False, width=120)


def _documents(source: Path) -> list[dict[str, Any]]:
    files = sorted(source.glob("*.yaml")) if source.is_dir() else [source]
    return [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]


def _labelled(document: dict[str, Any]) -> dict[str, Any]:
    metadata = document["metadata"]
    return {**document, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), **LABEL}}}


if __name__ == "__main__":
    TARGET.write_text(assembled())
    sys.stdout.write(f"{TARGET}\n")
