"""Cluster API in the lab: its components as pods from their own manifests, by clusterctl, from a repository on disk.

`lab up` takes `up_steps`: core and the kubeadm bootstrap provider are installed. `clusterctl init` with more providers then
adds those and leaves these alone: clusterctl passes over a provider whose name, type and version are installed already.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import capi_repository, cluster, programs
from lab.state import Lab

ROLE = "infrastructure"
"""The host process that is the lab's cloud; its log is `lab.log(ROLE)`."""

TRIED = "cert-manager-test"
"""The namespace in which clusterctl tries certificates."""

NAMESPACES = ("capi-system", "capi-kubeadm-bootstrap-system")


class ClusterctlError(RuntimeError):
    """clusterctl failed; says what it said."""


def up_steps(lab: Lab) -> list[tuple[str, Callable[[], object]]]:
    """What `lab up` does for Cluster API, in order; each step can be taken again."""
    return [
        ("clusterctl repository", lambda: repository(lab)),
        ("cert-manager's kinds", lambda: certificate_kinds(lab)),
        # Fetched only: tests apply them where they are about routes, and from inside the lab there is no way out.
        ("Gateway API's files", lambda: capi_repository.module("gateway-api")),
        ("load balancers, certificates and lab machines", lambda: start(lab)),
        ("Cluster API core and kubeadm bootstrap provider", lambda: initialize(lab)),
    ]


def environment(lab: Lab) -> dict[str, str]:
    """What clusterctl needs to find the lab's configuration and to ask nobody outside."""
    return {
        "XDG_CONFIG_HOME": str(_config_home(lab)),
        "CLUSTERCTL_DISABLE_VERSIONCHECK": "true",
        "GOPROXY": "off",
    }


def repository(lab: Lab) -> Path:
    """Build it where clusterctl looks by itself; its clusterctl.yaml."""
    return capi_repository.build(_config_home(lab) / "cluster-api", programs.path("kubectl"))


def certificate_kinds(lab: Lab) -> None:
    """cert-manager's CRDs; `lab.capi_certificates` does the rest of its work."""
    folder = capi_repository.module("cert-manager") / "deploy" / "crds"
    cluster.kubectl(lab, ["apply", "--server-side", "--force-conflicts", "-f", str(folder)])
    cluster.kubectl(lab, ["wait", "--for=condition=Established", "--timeout=300s", "-f", str(folder)])


def start(lab: Lab) -> None:
    """The host process, unless it runs. Only its network is the cluster's: it makes machines in the host's mounts."""
    enter = ["nsenter", f"--net=/run/netns/{cluster.management(lab).netns}"]
    command = [*enter, sys.executable, "-m", "lab.infrastructure", lab.name]
    lab.process(ROLE).start(command, lab.log(ROLE), cluster.environment(lab))


def stop(lab: Lab) -> None:
    """End the host process; what it made stays."""
    lab.process(ROLE).end()


def initialize(lab: Lab) -> None:
    """clusterctl init for what every lab has, and its pods available. No control plane provider: that is the project."""
    init(lab, ["--core", "cluster-api", "--bootstrap", "kubeadm", "--control-plane", "-"])
    for namespace in NAMESPACES:
        wait = ["wait", "--for=condition=Available", "deployment", "--all", "--timeout=300s"]
        cluster.kubectl(lab, ["--namespace", namespace, *wait])


def init(lab: Lab, arguments: Sequence[str]) -> None:
    """clusterctl init, to its end: it tries certificates in a namespace that it takes away without waiting, and an init that
    comes upon the rest of it waits in vain."""
    clusterctl(lab, ["init", *arguments])
    cluster.kubectl(lab, ["wait", "--for=delete", f"namespace/{TRIED}", "--timeout=300s"])


def clusterctl(lab: Lab, arguments: Sequence[str]) -> str:
    """clusterctl in the lab; its output. ClusterctlError when it fails."""
    command = [*cluster.exec_prefix(lab), str(programs.path("clusterctl")), *arguments]
    env = {**cluster.environment(lab), **environment(lab)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise ClusterctlError(f"clusterctl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _config_home(lab: Lab) -> Path:
    return lab.root / "config"
