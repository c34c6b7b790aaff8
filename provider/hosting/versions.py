"""Which Kubernetes versions we host and what comes with each minor (versions.toml). Asked by builders and admission."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources

from provider.api.schema import VERSION
from provider.api.verdict import Invalid
from provider.hosting.view import View
from provider.manifest import Manifest, podstatus

Components = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True, kw_only=True)
class Minor:
    """What belongs to one Kubernetes minor."""

    number: int  # of 1.<number>
    coredns: str  # image tag
    kube_proxy_mode: str
    konnectivity: str  # image tag of proxy server and agent


def _table() -> dict[int, Minor]:
    rows = tomllib.loads(resources.files(__package__).joinpath("versions.toml").read_text(encoding="utf-8"))
    numbers = {int(name.removeprefix("1.")): row for name, row in rows.items()}
    return {number: Minor(number=number, **numbers[number]) for number in sorted(numbers)}


MINORS = _table()


def supported() -> tuple[str, str]:
    """The oldest and the newest minor, as in ("1.33", "1.37")."""
    return f"1.{min(MINORS)}", f"1.{max(MINORS)}"


def of(version: str) -> Minor:
    """What belongs to a version, with or without its v. Invalid when it is none, too old or too new."""
    oldest, newest = supported()
    said = f"spec.kubernetes.version {version!r}"
    advice = f"write one from v{oldest} to v{newest}"
    if not is_one(version):
        raise Invalid("VersionMalformed", f"{said} is no version: {advice}, with its patch, such as v{newest}.0")
    major, minor = numbers(version)
    if (major, minor) < (1, min(MINORS)):
        raise Invalid("VersionTooOld", f"{said} is older than the oldest that is supported: {advice}")
    if (major, minor) > (1, max(MINORS)):
        raise Invalid("VersionTooNew", f"{said} is newer than the newest that is supported: {advice}")
    return MINORS[minor]


def image(view: View, component: str) -> str:
    """The image of a control-plane component: `<registry>/<image>:<version><tagSuffix>`, of the version it shall run."""
    registry = view.tcp.deployment.registry_settings
    name = {
        "kube-apiserver": registry.api_server_image,
        "kube-controller-manager": registry.controller_manager_image,
        "kube-scheduler": registry.scheduler_image,
    }[component]
    return f"{registry.registry}/{name}:{view.version.replace('+', '_')}{registry.tag_suffix or ''}"


def run_by(view: View, pod: Manifest) -> str | None:
    """The version that a pod's spec runs, by the image of its kube-apiserver; None when that tells none."""
    images = [each["image"] for each in pod.get("containers") or () if each["name"] == "kube-apiserver"]
    suffix = view.tcp.deployment.registry_settings.tag_suffix or ""
    tags = [each.rpartition(":")[2].removesuffix(suffix).replace("_", "+") for each in images]
    return next((f"v{each.removeprefix('v')}" for each in tags if is_one(each)), None)


def is_one(version: str) -> bool:
    """Whether a text has the shape of a version."""
    return re.fullmatch(VERSION, version) is not None


def numbers(version: str) -> tuple[int, int]:
    """Major and minor of a version that has the shape of one."""
    major, minor = version.removeprefix("v").split(".")[:2]
    return int(major), int(minor)


def installed(view: View) -> str | None:
    """The version that last served as a whole, with its leading v; None until one did.

    While the first pods still come up it is what those that are ready run, the older of two.
    """
    recorded = ((view.status.get("kubernetesResources") or {}).get("version") or {}).get("version")
    if recorded:
        return f"v{recorded.removeprefix('v')}"
    ready = {run_by(view, each.get("spec") or {}) for each in view.pods if podstatus.is_ready(each)}
    return min((each for each in ready if each), key=numbers, default=None)


def served(view: View) -> str:
    """The version that every API server of the tenant runs by now: what nodes and addons may be told.

    Until the last pod of another version is gone (it serves also while it ends), it is the version installed before.
    """
    found = {run_by(view, each.get("spec") or {}) for each in view.pods if not podstatus.has_ended(each)}
    return view.version if found == {view.version} else installed(view) or view.version
