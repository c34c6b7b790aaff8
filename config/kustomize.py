"""Makes `config/kustomization.yaml`: all of config/ with clusterctl's variables at their defaults. Run by `make generate`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TARGET = HERE / "kustomization.yaml"
HEAD = "# Made by `make generate`: `kubectl apply --server-side -k config`, or a base of your own overlay.\n"
SOURCES = ("manager/*.yaml", "crd/*.yaml", "rbac/*.yaml")
VARIABLE = re.compile(r"\$\{\w+:=([^}]*)\}")
Manifest = dict[str, Any]


def made() -> str:
    """The whole file."""
    files = [file for each in SOURCES for file in sorted(HERE.glob(each))]
    documents = [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [str(file.relative_to(HERE)) for file in files],
        "patches": [patch for each in documents for patch in _patches(each)],
    }
    return HEAD + yaml.safe_dump(kustomization, sort_keys=False, width=200)


def _patches(document: Manifest) -> Iterator[Manifest]:
    found = [
        {"op": "replace", "path": path, "value": VARIABLE.sub(r"\1", text)}
        for path, text in _texts(document)
        if VARIABLE.search(text)
    ]
    if found:
        target = {"kind": document["kind"], "name": document["metadata"]["name"]}
        yield {"target": target, "patch": yaml.safe_dump(found, sort_keys=False, width=200)}


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a manifest, with its JSON pointer."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            yield from _texts(each, f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}")


if __name__ == "__main__":
    TARGET.write_text(made())
    sys.stdout.write(f"{TARGET}\n")
