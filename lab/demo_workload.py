"""The demo's workload in the tenant: two pods that may not share a node, behind one Service, and the proof that they talk.

The pods run Kubernetes' own `agnhost netexec`. Asked at `/dial`, a pod calls an address and tells who answered; so the
question goes to one pod through a port-forward, and the other's answer comes through the Service: DNS, kube-proxy, and the
networks of both machines.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab import images

NAME = "echo"
PORT = 8080
TRIES = 10  # calls through the Service in one question; it balances at random


def manifests() -> str:
    """Deployment and Service as one JSON list, for `kubectl apply`."""
    image = next(each["name"] for each in images.document()["image"] if each.get("program") == "agnhost")
    labels = {"app": NAME}
    container = {
        "name": NAME,
        "image": image,
        "args": ["netexec", f"--http-port={PORT}"],
        "ports": [{"containerPort": PORT}],
    }
    apart = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    spec: dict[str, Any] = {
        "containers": [
            container | {"readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1}}
        ],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}},
        "terminationGracePeriodSeconds": 0,
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": "default"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": PORT}]},
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [deployment, service]})


def answers(kubeconfig: str, pod: str) -> set[str]:
    """Names of the pods that answered `pod` through the Service. OSError or ValueError when the question did not get there."""
    query = f"host={NAME}.default.svc.cluster.local&port=80&protocol=http&request=hostname&tries={TRIES}"
    with (
        _forwarded(kubeconfig, pod) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/dial?{query}", timeout=30) as response,
    ):
        return set(json.load(response).get("responses") or ())


@contextmanager
def _forwarded(kubeconfig: str, pod: str) -> Iterator[int]:
    """A local port that leads to the pod's, for as long as the context lasts."""
    command = ["kubectl", f"--kubeconfig={kubeconfig}", "--namespace=default", "port-forward", f"pod/{pod}", f":{PORT}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forward:
        try:
            line = forward.stdout.readline() if forward.stdout else ""
            if "->" not in line:
                raise OSError(f"kubectl port-forward to {pod}: {line.strip()}")
            yield int(line.split("->")[0].rpartition(":")[2])
        finally:
            forward.terminate()
