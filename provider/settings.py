"""Settings of the process, frozen, built from a mapping of environment variables by `__main__`, read by every room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta

EXTERNAL_CLUSTER = "ExternalClusterReference"
EXTERNAL_CLUSTER_CROSS_NAMESPACE = "ExternalClusterReferenceCrossNamespace"
GATES = (EXTERNAL_CLUSTER, EXTERNAL_CLUSTER_CROSS_NAMESPACE)
"""Feature gates, under upstream's names; off unless they are switched on."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One field a setting; its environment variable is `KAMAJI_` and the upper-case name."""

    rooms: str = "hosting,capi"  # hosting: TenantControlPlanes and their stores; capi: KamajiControlPlanes
    namespace: str = "kamaji-system"  # where the provider runs and its stores live
    watch_namespace: str = ""  # the only namespace that is looked at; empty: all
    watch_filter: str = ""  # only objects with this value of the label cluster.x-k8s.io/watch-filter; empty: no filter
    default_datastore: str = "default"  # DataStore of tenants that name none; empty: they have to
    default_pool: str = "default"  # DataStorePool made at start when absent; empty: none
    feature_gates: str = ""  # Gate=true,Other=false
    workers: int = 8  # passes at once
    starts_per_core: float = 1.0  # control planes being started at once, per free core of the management cluster
    kine_image: str = (
        "docker.io/rancher/kine:v0.17.5"  # image of kine, v0.14.0 or later: older ones take no KINE_ENDPOINT
    )
    upgrade_deadline: int = 300  # seconds without progress after which an upgrade of a tenant is undone
    certificate_life: int = 365 * 86400  # seconds for which certificates of ours are valid; authorities: ten years
    rollouts_an_hour: int = 6  # rollouts of a tenant whose spec does not change; at more than that a loop is stopped
    health_port: int = 8081  # where the kubelet asks whether the program lives and is ready
    metrics_port: int = 8080  # where metrics are served; 0: nowhere
    status_page_port: int = 0  # where the status page is, on the pod's loopback for `kubectl port-forward`; 0: nowhere
    traces_endpoint: str = ""  # where OTLP over HTTP goes, such as http://collector:4318/v1/traces; empty: nowhere
    log_format: str = "plain"  # how the log is written: plain, or json, one object a line
    leader_elect: bool = True  # of several replicas one acts; false: each acts, for one that is alone
    image: str = ""  # image of this program, for Jobs; empty: the one of its own pod
    identity: str = "provider"  # name of this replica in the Lease; its pod's name

    @property
    def leaf_life(self) -> timedelta:
        """For how long certificates of ours are valid."""
        return timedelta(seconds=self.certificate_life)

    @property
    def gates(self) -> frozenset[str]:
        """The feature gates that are on. ValueError names what cannot be read."""
        found: dict[str, object] = {}
        for said in filter(None, (each.strip() for each in self.feature_gates.split(","))):
            gate, _, value = said.partition("=")
            if gate not in GATES:
                raise ValueError(f"there is no feature gate {gate!r}; there are {', '.join(GATES)}")
            try:
                found[gate] = _convert(value, "bool")
            except ValueError as error:
                raise ValueError(f"feature gate {said!r} is neither {gate}=true nor {gate}=false") from error
        return frozenset(gate for gate, on in found.items() if on)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read `KAMAJI_*`. ValueError names the variable that cannot be read."""
        found: dict[str, object] = {}
        for each in fields(cls):
            variable = f"KAMAJI_{each.name.upper()}"
            if (text := environment.get(variable)) is None:
                continue
            try:
                found[each.name] = _convert(text, str(each.type))
            except ValueError as error:
                raise ValueError(f"{variable}={text!r} is no {each.type}") from error
        return cls(**found)  # type: ignore[arg-type]


def _convert(text: str, kind: str) -> object:
    match kind:
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "bool":
            if text.lower() not in ("true", "false"):
                raise ValueError(text)
            return text.lower() == "true"
        case _:
            return text
