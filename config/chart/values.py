"""The chart's values, once: their defaults out of config/, what they may be, and what they do.

values.yaml, values.schema.json and the table of docs/helm.md are made of them. Names are upstream's where the meaning is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from provider.settings import GATES, Settings

CONFIG = Path(__file__).parents[1]
DEPLOYMENT: dict[str, Any] = yaml.safe_load((CONFIG / "manager" / "deployment.yaml").read_text())
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
MANAGER: dict[str, Any] = next(each for each in POD["containers"] if each["name"] == "manager")
REPOSITORY, _, TAG = MANAGER["image"].rpartition(":")

VARIABLES = {
    "CACPPK_EXTERNAL_CLUSTER_REFERENCE": "featureGates.ExternalClusterReference",
    "CACPPK_EXTERNAL_CLUSTER_REFERENCE_CROSS_NAMESPACE": "featureGates.ExternalClusterReferenceCrossNamespace",
    "CACPPK_KUBEADM_BOOTSTRAP_SA_NAMESPACE": "kubeadmBootstrap.namespace",
    "CACPPK_KUBEADM_BOOTSTRAP_SA_NAME": "kubeadmBootstrap.serviceAccount",
}
"""clusterctl's variables in config/, and the values that stand in for them."""

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
OBJECT: Schema = {"type": "object"}
OBJECTS: Schema = {"type": "array", "items": OBJECT}
FIXED = ("namespace", "identity", "feature_gates", "default_datastore", "health_port", "metrics_port")
"""Settings that the Deployment says itself, or that have a value of their own."""
KINDS: Mapping[str, Schema] = {
    "int": {"type": "integer", "minimum": 0},
    "float": {"type": "number", "exclusiveMinimum": 0},
    "bool": FLAG,
    "str": TEXT,
}


@dataclass(frozen=True, slots=True)
class Value:
    """One value, by its path."""

    path: str
    default: Any
    schema: Schema
    help: str


def _settings() -> Schema:
    known = {camel(each.name): KINDS[str(each.type)] for each in fields(Settings) if each.name not in FIXED}
    return {"type": "object", "additionalProperties": False, "properties": known}


def camel(name: str) -> str:
    """A setting's name as a value."""
    first, *rest = name.split("_")
    return first + "".join(each.capitalize() for each in rest)


VALUES = (
    Value(
        "replicaCount",
        DEPLOYMENT["spec"]["replicas"],
        {"type": "integer", "minimum": 0},
        "Replicas of the provider; one acts, another takes over within seconds.",
    ),
    Value("image.repository", REPOSITORY, TEXT, "The provider's image."),
    Value("image.tag", "", TEXT, "Empty: the chart's appVersion."),
    Value(
        "image.pullPolicy",
        MANAGER["imagePullPolicy"],
        {"enum": ["Always", "IfNotPresent", "Never"]},
        "When it is pulled.",
    ),
    Value("imagePullSecrets", [], OBJECTS, "Secrets to pull it by: `[{name: …}]`."),
    Value("defaultDatastoreName", "default", TEXT, "The DataStore of tenants that name none; empty: they have to."),
    Value("extraArgs", [], {"type": "array", "items": TEXT}, "More arguments of `run`, such as `--namespace=tenants`."),
    *(Value(f"featureGates.{each}", False, FLAG, "A feature gate, off.") for each in GATES),
    Value(
        "kubeadmBootstrap.namespace",
        "capi-kubeadm-bootstrap-system",
        TEXT,
        "Where Cluster API's bootstrap provider is.",
    ),
    Value("kubeadmBootstrap.serviceAccount", "capi-kubeadm-bootstrap-manager", TEXT, "Its ServiceAccount."),
    Value(
        "settings", {}, _settings(), "Settings of the provider, such as `workers: 16`; each is a `KAMAJI_…` variable."
    ),
    Value("serviceAccount.annotations", {}, TEXTS, "Of the provider's ServiceAccount."),
    Value("podAnnotations", {}, TEXTS, "Of the provider's pods."),
    Value("podLabels", {}, TEXTS, "More labels of its pods."),
    Value("podSecurityContext", POD["securityContext"], OBJECT, "Of the pod."),
    Value("securityContext", MANAGER["securityContext"], OBJECT, "Of the container."),
    Value("startupProbe", MANAGER["startupProbe"], OBJECT, "Whether it has started."),
    Value("livenessProbe", MANAGER["livenessProbe"], OBJECT, "Whether it lives."),
    Value("readinessProbe", MANAGER["readinessProbe"], OBJECT, "Whether it is ready."),
    Value(
        "resources",
        MANAGER["resources"],
        OBJECT,
        "Requests and limits; a thousand tenants are told in docs/benchmarks.",
    ),
    Value("nodeSelector", {}, TEXTS, "Nodes for its pods."),
    Value("tolerations", [], OBJECTS, "Taints that they bear."),
    Value("affinity", {}, OBJECT, "Where they like to be."),
    Value("priorityClassName", "", TEXT, "Empty: the cluster's default."),
    Value("crds.install", True, FLAG, "CRDs come, and are upgraded, with the chart; they stay when it goes."),
    Value("podMonitor.enabled", False, FLAG, "A PodMonitor, for the Prometheus operator."),
    Value("podMonitor.labels", {}, TEXTS, "By which your Prometheus selects it."),
    Value("podMonitor.interval", "30s", {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}, "Between two scrapes."),
    Value("prometheusRule.enabled", False, FLAG, "The alerts of docs/runbook.md, for the Prometheus operator."),
    Value("prometheusRule.labels", {}, TEXTS, "By which your Prometheus selects them."),
    Value("dashboards.enabled", False, FLAG, "ConfigMaps with the Grafana dashboards, for its sidecar."),
    Value("dashboards.labels", {"grafana_dashboard": "1"}, TEXTS, "By which the sidecar finds them."),
)


def defaults() -> dict[str, Any]:
    """All of them, nested."""
    found: dict[str, Any] = {}
    for each in VALUES:
        _put(found, each.path.split("."), each.default)
    return found


def schema() -> Schema:
    """What may be said; whatever else is refused, so that a typo is none that nobody notices."""
    root = _closed()
    for each in VALUES:
        *parents, last = each.path.split(".")
        here = root
        for parent in parents:
            here = here["properties"].setdefault(parent, _closed())
        here["properties"][last] = {**each.schema, "description": each.help}
    root["properties"]["global"] = {
        "type": "object",
        "description": "Helm's own, of charts that have this one in them.",
    }
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of capi-kamaji", **root}


def text() -> str:
    """values.yaml: each with its help above it."""
    return "# Made by `make generate` from config/chart/values.py; docs/helm.md tells of each.\n" + "".join(_lines())


def _lines() -> Iterator[str]:
    open_: list[str] = []
    for each in VALUES:
        *parents, last = each.path.split(".")
        if parents != open_:
            yield "\n" + "".join(f"{'  ' * depth}{parent}:\n" for depth, parent in enumerate(parents))
            open_ = parents
        indent = "  " * len(parents)
        said = yaml.safe_dump({last: each.default}, sort_keys=False, width=120)
        yield f"{indent}# {each.help}\n" + "".join(f"{indent}{line}\n" for line in said.splitlines())


def _closed() -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    *parents, last = path
    for each in parents:
        into = into.setdefault(each, {})
    into[last] = value
