"""Kubernetes' version skew policy between an API server and the kubelets of its nodes. Pure; asked before a minor upgrade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provider.api.verdict import NotReady
from provider.hosting import versions

KUBELET_AGE = 3  # minors that a kubelet may be older than its API server; newer it may never be
NAMED = 5  # nodes that a message names


@dataclass(frozen=True, order=True)
class Kubelet:
    """A node of the tenant and its kubelet's version, in the tenant's own words: hostile until parsed."""

    node: str
    version: str

    @property
    def minor(self) -> tuple[int, int] | None:
        """Major and minor; None for a kubelet that says none (virtual ones): nothing is known of its needs."""
        parts = self.version.removeprefix("v").split(".")
        if len(parts) < 2 or not all(each.isdecimal() and len(each) < 4 for each in parts[:2]):
            return None
        return int(parts[0]), int(parts[1])


def blocked(target: str, kubelets: Sequence[Kubelet] | None) -> NotReady | None:
    """Why API servers of the version `target` may not serve these nodes, and which; None: the API server did not tell."""
    if kubelets is None:
        return NotReady("KubeletsUnknown", f"{target} waits until the API server tells which kubelets its nodes run")
    major, minor = versions.numbers(target)
    known = [(each, each.minor) for each in sorted(kubelets)]
    if old := [each for each, found in known if found and found < (major, minor - KUBELET_AGE)]:
        least = f"v{major}.{minor - KUBELET_AGE}"
        message = f"{target} needs kubelets of {least} or newer, and {_listed(old)}: upgrade these nodes first"
        return NotReady("KubeletsTooOld", message)
    if new := [each for each, found in known if found and found > (major, minor)]:
        message = (
            f"no kubelet may be newer than {target}, and {_listed(new)}: make these nodes anew with an older kubelet"
        )
        return NotReady("KubeletsTooNew", message)
    return None


def _listed(kubelets: Sequence[Kubelet]) -> str:
    """Which nodes run what; of a version only what was understood of it."""
    said = [f"node {each.node} runs v{each.minor[0]}.{each.minor[1]}" for each in kubelets[:NAMED] if each.minor]
    more = f" and {len(kubelets) - NAMED} more" if len(kubelets) > NAMED else ""
    return ", ".join(said) + more
