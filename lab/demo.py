"""The main job, as `make demo` shows it: a cluster by clusterctl, workers that join, pods that talk, an end without a trace.

Runs inside the lab (`lab demo` takes it there), with kubectl and clusterctl in PATH. One line a milestone, with the seconds
since the cluster was asked for.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from lab import demo_traces, demo_workload
from lab.state import Lab
from provider.cluster.connect import from_file

NAMESPACE, VERSION = "default", "v1.36.3"
PATIENCE = 300.0  # seconds for one milestone
console = Console(width=200)


class DemoError(Exception):
    """A milestone was not reached; says which, and what was last seen."""


@dataclass
class Demo:
    """One demo cluster from its birth to its end."""

    lab: Lab
    kubeconfig: Path
    name: str = "demo"
    flavor: str = ""  # of the cluster template; "topology" is the one with a ClusterClass
    started: float = field(default_factory=time.monotonic)

    def milestone(self, what: str, look: Callable[[], bool]) -> None:
        """Wait until it is so; one line. DemoError with the last words of whoever was asked."""
        deadline, said = time.monotonic() + PATIENCE, ""
        while True:
            try:
                if look():
                    console.print(f"[green]✓[/] {time.monotonic() - self.started:6.1f} s  {what}")
                    return
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                said = str(getattr(error, "stderr", "") or error).strip()
            if time.monotonic() > deadline:
                raise DemoError(f"{what}: not within {PATIENCE:.0f} s. {said} Logs: {self.lab.root / 'logs'}")
            time.sleep(0.25)

    def create(self) -> None:
        """`clusterctl generate cluster | kubectl apply`."""
        arguments = ["--infrastructure", "lab", "--kubernetes-version", VERSION, "--target-namespace", NAMESPACE]
        counts = ["--control-plane-machine-count", "1", "--worker-machine-count", "2", "--flavor", self.flavor]
        manifests = run(["clusterctl", "generate", "cluster", self.name, *arguments, *counts])
        self.started = time.monotonic()
        run(["kubectl", "apply", "-f", "-"], stdin=manifests)

    def joined(self) -> None:
        """Control plane, kubeconfig, workers."""
        ready = ["wait", f"cluster/{self.name}", "--for=condition=ControlPlaneAvailable", "--timeout=1s"]
        self.milestone("control plane ready", lambda: bool(run(["kubectl", *ready])))
        self.milestone("kubeconfig works", self._kubeconfig_works)
        self.milestone("worker 1 Ready", lambda: self.ready_nodes() >= 1)
        self.milestone("worker 2 Ready", lambda: self.ready_nodes() >= 2)

    def born(self) -> None:
        """All that, and a workload."""
        self.joined()
        self.tenant("apply", "-f", "-", stdin=demo_workload.manifests())
        self.milestone("a Deployment of two pods runs, one on each worker", self._spread)
        self.milestone("one pod answers the other through the Service", self._answered)

    def shown(self) -> None:
        """What a user would look at."""
        for command in (
            ["clusterctl", "describe", "cluster", self.name],
            ["kubectl", "get", "tenantcontrolplanes,datastores,machines"],
            ["kubectl", f"--kubeconfig={self.kubeconfig}", "get", "nodes", "-o", "wide"],
        ):
            console.print(f"\n[bold]{' '.join(command)}[/]")
            console.print(run(command), markup=False, highlight=False)

    def scaled(self) -> None:
        """To one worker and back."""
        for count in (1, 2):
            run(["kubectl", "scale", "machinedeployment", f"{self.name}-md-0", f"--replicas={count}"])
            self.milestone(f"scaled to {count} worker{'s' if count > 1 else ''}", lambda n=count: self.settled(n))  # type: ignore[misc]

    def deleted(self) -> None:
        """`kubectl delete cluster`, to its end."""
        run(["kubectl", "delete", "cluster", self.name, "--wait=false"])
        self.milestone(
            "the Cluster is gone", lambda: not run(["kubectl", "get", "cluster", self.name, "--ignore-not-found"])
        )
        selector = ["-l", f"cluster.x-k8s.io/cluster-name={self.name}"]
        self.milestone("its machines are gone", lambda: not run(["kubectl", "get", "machines", *selector]))

    def settled(self, count: int) -> bool:
        """Exactly so many nodes, all Ready."""
        names = self.tenant("get", "nodes", "-o", "name").split()
        return len(names) == count == self.ready_nodes()

    def ready_nodes(self) -> int:
        """Nodes of the tenant that are Ready."""
        path = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{" "}{end}'
        return self.tenant("get", "nodes", "-o", f"jsonpath={path}").split().count("True")

    def tenant(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl against the tenant."""
        return run(["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments], stdin=stdin)

    def _kubeconfig_works(self) -> bool:
        self.kubeconfig.write_text(run(["clusterctl", "get", "kubeconfig", self.name]))
        return bool(self.tenant("get", "namespaces"))

    def _pods(self) -> list[str]:
        columns = "custom-columns=:metadata.name,:spec.nodeName,:status.containerStatuses[0].ready"
        rows = self.tenant("get", "pods", "-l", f"app={demo_workload.NAME}", "--no-headers", "-o", columns).splitlines()
        return [row for row in rows if row.split()[-1] == "true"]

    def _spread(self) -> bool:
        return len({row.split()[1] for row in self._pods()}) == 2

    def _answered(self) -> bool:
        asking, other = (row.split()[0] for row in self._pods())
        return other in demo_workload.answers(str(self.kubeconfig), asking)


def run(command: list[str], stdin: str | None = None) -> str:
    """A command's output. CalledProcessError carries what it said."""
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=120).stdout


async def traces(lab: Lab) -> frozenset[str]:
    """What is there now."""
    cluster = await from_file(os.environ["KUBECONFIG"])
    try:
        return await demo_traces.taken(cluster, lab, NAMESPACE)
    finally:
        await cluster.close()


def tour(lab: Lab, name: str = "demo") -> None:
    """All of it. DemoError when a milestone is not reached or a trace is left."""
    before = asyncio.run(traces(lab))
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(lab, Path(folder) / "kubeconfig", name)
        demo.create()
        demo.born()
        demo.shown()
        demo.scaled()
        demo.deleted()
        demo.milestone("nothing of it is left", lambda: asyncio.run(traces(lab)) <= before)


def main() -> int:
    """Exit status."""
    try:
        tour(Lab(os.environ["CAPI_KAMAJI_LAB"]))
    except (DemoError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or "").strip()
        console.print(f"[red]✗[/] {error} {said}", markup=True, highlight=False)
        return 1
    console.print("\nThe demo is over; the management cluster stays. `make demo-down` ends it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
