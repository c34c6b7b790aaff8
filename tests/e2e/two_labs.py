"""Two management clusters side by side: this lab and the one beside it (`lab` and `lab-2`), joined while a test needs both.

In the other one nothing is changed but what the test brings there, for other tests run in it meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab import cluster, deploy
from lab.state import Lab
from tests.e2e.conftest import kubectl


@dataclass(frozen=True)
class Side:
    """One management cluster, as its administrator sees it."""

    lab: Lab

    @property
    def address(self) -> str:
        """Of its only node."""
        return cluster.management(self.lab).address

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return kubectl(f"--kubeconfig={self.lab.kubeconfig}", *arguments, stdin=stdin)

    def found(self, *arguments: str) -> list[Any]:
        """What `kubectl get` finds."""
        items: list[Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))["items"]
        return items


@contextmanager
def joined() -> Iterator[tuple[Side, Side]]:
    """This one and the other. AssertionError says how to get the other where it is not up."""
    name = os.environ["CAPI_KAMAJI_LAB"]
    here, there = Lab(name), Lab(name.removesuffix("-2") if name.endswith("-2") else f"{name}-2")
    wanted = f"`lab up --lab {there.name} && lab deploy --lab {there.name}`"
    assert cluster.management(there).running(), f"this needs a second lab beside {name}: {wanted}"
    here.network().join(there.network())
    try:
        yield Side(here), Side(there)
    finally:
        here.network().part(there.network())


@contextmanager
def deployed(**variables: str) -> Iterator[None]:
    """The provider of this lab with these variables of its components set; afterwards as it was."""
    _deploy(variables)
    try:
        yield
    finally:
        _deploy({})


def _deploy(variables: dict[str, str]) -> None:
    words = ["clusterctl", "generate", "provider", "--control-plane", "kamaji"]
    made = subprocess.run(words, env={**os.environ, **variables}, capture_output=True, text=True, check=True)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=made.stdout)
    kubectl("-n", deploy.NAMESPACE, "rollout", "status", deploy.DEPLOYMENT, "--timeout=300s")
