"""The cluster under test, made as a user would: by clusterctl, with two lab machines as workers, and konnectivity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.demo import NAMESPACE, Demo, run
from lab.state import Lab

NAME = "conformance"


def ready(lab: Lab, kubeconfig: Path) -> None:
    """Make it, or find it as it should be; its kubeconfig in a file. DemoError when it does not come up."""
    demo = Demo(lab, kubeconfig, NAME)
    if not run(["kubectl", "-n", NAMESPACE, "get", "cluster", NAME, "--ignore-not-found"]):
        demo.create()
        wanted: dict[str, Any] = {"spec": {"addons": {"konnectivity": {}}}}
        run(
            [
                "kubectl",
                "-n",
                NAMESPACE,
                "patch",
                "kamajicontrolplane",
                NAME,
                "--type=merge",
                f"-p={json.dumps(wanted)}",
            ]
        )
    demo.joined()
    demo.milestone("every pod of the system is ready", lambda: _settled(demo))


def _settled(demo: Demo) -> bool:
    path = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{" "}{end}'
    said = demo.tenant("-n", "kube-system", "get", "pods", "-o", f"jsonpath={path}").split()
    return len(said) >= len(("coredns", *2 * ("kube-proxy", "konnectivity-agent"))) and set(said) == {"True"}
