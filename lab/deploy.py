"""The provider in the lab: installed by clusterctl as a user would, and made anew when the sources changed. Called by `lab`."""

from __future__ import annotations

import json

from lab import capi, cluster, images
from lab.state import Lab

NAMESPACE = "kamaji-system"
DEPLOYMENT = "deployment/kamaji-provider"
INIT = ["--core", "cluster-api", "--bootstrap", "kubeadm", "--control-plane", "kamaji", "--infrastructure", "lab"]
"""What of clusterctl init."""


def provider(lab: Lab) -> None:
    """`clusterctl init`, which passes over what is installed; then the components and the image as the sources are now."""
    cluster.load_provider(lab)
    capi.repository(lab)
    capi.init(lab, INIT)
    components = capi.clusterctl(lab, ["generate", "provider", "--control-plane", "kamaji"])
    cluster.kubectl(lab, ["apply", "--server-side", "--force-conflicts", "-f", "-"], stdin=components)
    # The image keeps its name, so the pods are told by its digest that it is another.
    told = {"spec": {"template": {"metadata": {"annotations": {"lab/image": images.provider().name}}}}}
    cluster.kubectl(lab, ["-n", NAMESPACE, "patch", DEPLOYMENT, "--patch", json.dumps(told)])
    cluster.kubectl(lab, ["-n", NAMESPACE, "rollout", "status", DEPLOYMENT, "--timeout=300s"])


def store(lab: Lab) -> None:
    """The default DataStore, which the provider makes by itself, is ready."""
    cluster.kubectl(lab, ["wait", "--for=create", "datastore/default", "--timeout=300s"])
    cluster.kubectl(lab, ["wait", "--for=jsonpath={.status.ready}=true", "datastore/default", "--timeout=300s"])
