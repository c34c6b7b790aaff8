"""Pieces of a pod: volumes, mounts, environment. Called by builders of Deployments, DaemonSets and Jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider.api import names
from provider.manifest import Manifest

# One process, no privilege to gain, nothing to write to.
RESTRICTED: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
FAREWELL = 3  # seconds for which a control plane's pod that ends still serves: until every kube-proxy has heard of it
NOBODY = 65532  # as distroless images call their "nonroot"
UNPRIVILEGED: Manifest = {
    "fsGroup": NOBODY,
    "fsGroupChangePolicy": "OnRootMismatch",
    "runAsGroup": NOBODY,
    "runAsNonRoot": True,
    "runAsUser": NOBODY,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""Of a whole pod with volumes: restricted Pod Security."""
TMP: Manifest = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  (a volume of the pod's own, see `of_job`)
FILE_MODE = 0o644  # Kubernetes' default; readable by the user a container runs as, whoever that is


Keys = Sequence[str] | Mapping[str, str]
"""Keys of a Secret or ConfigMap that become files of the same name, or of the name that each is given."""


def secret_volume(name: str, secret: str, keys: Keys) -> Manifest:
    """A volume with these keys of a Secret as files; a missing key keeps the pod from starting."""
    return {"name": name, "secret": {"secretName": secret, "defaultMode": FILE_MODE, "items": _items(keys)}}


def config_map_volume(name: str, config_map: str, keys: Keys) -> Manifest:
    """A volume with these keys of a ConfigMap as files."""
    return {"name": name, "configMap": {"name": config_map, "defaultMode": FILE_MODE, "items": _items(keys)}}


def projected_secrets(name: str, sources: Sequence[Manifest]) -> Manifest:
    """A volume made of several Secrets' keys (see `projection`)."""
    return {"name": name, "projected": {"defaultMode": FILE_MODE, "sources": list(sources)}}


def projection(secret: str, keys: Keys, folder: str = "") -> Manifest:
    """One Secret's keys within a projected volume, in a folder of it where one is named."""
    return {"secret": {"name": secret, "items": _items(keys, folder)}}


def mount(name: str, path: str, *, read_only: bool = True) -> Manifest:
    """A volume at a path of a container."""
    return {"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})}


def of_job(containers: Sequence[Manifest], volumes: Sequence[Manifest], **more: Any) -> Manifest:
    """Spec of the pod of a Job of ours beside the provider: once, and where the provider may be."""
    return {
        "containers": list(containers),
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "tolerations": [{"key": names.CONTROL_PLANE_TAINT, "operator": "Exists", "effect": "NoSchedule"}],
        "volumes": [*volumes, {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}],
        **more,
    }


def job_container(name: str, image: str, mounts: Sequence[Manifest], **more: Any) -> Manifest:
    """A small container of such a pod, whose last words can be read off its status."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "securityContext": RESTRICTED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": list(mounts),
        **more,
    }


def environment(values: Mapping[str, str]) -> list[Manifest]:
    """`env` in the order of the names."""
    return [{"name": name, "value": values[name]} for name in sorted(values)]


def http_probe(path: str, port: int | str, scheme: str, numbers: Mapping[str, int]) -> dict[str, Any]:
    """A probe by HTTP GET against the pod's own address; `numbers` as in core/v1 Probe."""
    return {"httpGet": {"path": path, "port": port, "scheme": scheme}, **numbers}


def _items(keys: Keys, folder: str = "") -> list[Manifest]:
    files = keys if isinstance(keys, Mapping) else {key: key for key in keys}
    return [{"key": key, "path": f"{folder}/{file}" if folder else file} for key, file in files.items()]
