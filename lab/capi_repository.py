"""The local clusterctl repository: Cluster API's own components, ours, and the lab's, in the folders clusterctl looks for.

Layout and rules: Cluster API's clusterctl provider contract. Cluster API's components are rendered from the kustomize trees
in its Go module; nothing else is downloaded. Called by `lab.capi`; building again gives the same files.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import yaml

from lab.infrastructure import components, kinds

PROJECT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name("capi.toml")
CONTROL_PLANE = "control-plane-kamaji"
TEMPLATES = PROJECT / "clusterctl" / "templates" / "lab"


class RepositoryError(RuntimeError):
    """The repository cannot be built. Says what is missing and how to get it."""


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A provider of Cluster API's own module (a row of capi.toml)."""

    label: str
    name: str
    type: str
    file: str
    tree: str
    built: str
    image: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A provider as clusterctl.yaml names it."""

    name: str
    type: str
    url: Path


@cache
def table() -> dict[str, Any]:
    """capi.toml."""
    return tomllib.loads(TABLE.read_text())


def upstream() -> list[Upstream]:
    """Cluster API's providers that the lab installs."""
    return [Upstream(**row) for row in table()["provider"]]


@cache
def module(name: str) -> Path:
    """Folder of a Go module of capi.toml, fetched by the go command when absent. RepositoryError when it is another."""
    return fetched(table()[name], TABLE)


def fetched(row: dict[str, Any], told: Path) -> Path:
    """Folder of the Go module that a row of the table `told` names, by its version and sum. RepositoryError as above."""
    wanted = f"{row['module']}@{row['version']}"
    done = subprocess.run(["go", "mod", "download", "-json", wanted], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in found:
        raise RepositoryError(f"go mod download {wanted}: {found.get('Error') or done.stderr.strip()}")
    if found["Sum"] != row["sum"]:
        raise RepositoryError(f"{wanted} has the sum {found['Sum']}, {told.name} says {row['sum']}")
    return Path(found["Dir"])


def build(root: Path, kubectl: Path) -> Path:
    """Write the whole repository under `root`; the path of its clusterctl.yaml."""
    entries = [_upstream(root, each, kubectl) for each in upstream()]
    entries += [_control_plane(root), _infrastructure(root)]
    config = root / "clusterctl.yaml"
    _write(config, _configuration(entries, root / "overrides"))
    (root / "overrides").mkdir(exist_ok=True)
    return config


def rendered(provider: Upstream, kubectl: Path) -> str:
    """A provider's components as a release has them: its image under the released name, pulled only when absent."""
    tree = module("cluster-api") / provider.tree
    done = subprocess.run([kubectl, "kustomize", tree], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RepositoryError(f"kubectl kustomize {tree}: {done.stderr.strip()}")
    text = done.stdout
    changes = {provider.built: provider.image, "imagePullPolicy: Always": "imagePullPolicy: IfNotPresent"}
    for before, after in changes.items():
        if text.count(before) != 1:
            raise RepositoryError(f"{tree} names {before!r} {text.count(before)} times, not once; see {TABLE.name}")
        text = text.replace(before, after)
    return text


def _upstream(root: Path, provider: Upstream, kubectl: Path) -> Entry:
    folder = root / provider.label / table()["cluster-api"]["version"]
    _write(folder / provider.file, rendered(provider, kubectl))
    _write(folder / "metadata.yaml", (module("cluster-api") / "metadata.yaml").read_text())
    return Entry(name=provider.name, type=provider.type, url=folder / provider.file)


def _control_plane(root: Path) -> Entry:
    """This project's provider, its files as they are."""
    release = f"v{installed_version('capi-kamaji')}"
    folder = _emptied(root / CONTROL_PLANE) / release
    source = PROJECT / "clusterctl"
    for name in ("control-plane-components.yaml", "metadata.yaml"):
        if not (source / name).exists():
            raise RepositoryError(f"{source / name} is missing: run `make generate`")
        _write(folder / name, (source / name).read_text())
    _covers((folder / "metadata.yaml").read_text(), release)
    return Entry(name="kamaji", type="ControlPlaneProvider", url=folder / "control-plane-components.yaml")


def _infrastructure(root: Path) -> Entry:
    """The lab's provider, made from its models, with the cluster templates: clusterctl reads those from here only."""
    folder = _emptied(root / kinds.PROVIDER) / components.VERSION
    _write(folder / "infrastructure-components.yaml", components.text())
    _write(folder / "metadata.yaml", components.metadata())
    for template in sorted(TEMPLATES.glob("*.yaml")):
        _write(folder / template.name, template.read_text())
    return Entry(name="lab", type="InfrastructureProvider", url=folder / "infrastructure-components.yaml")


def _covers(metadata: str, release: str) -> None:
    major, minor = (int(each) for each in release.removeprefix("v").split(".")[:2])
    series = [(each["major"], each["minor"]) for each in yaml.safe_load(metadata)["releaseSeries"]]
    if (major, minor) not in series:
        raise RepositoryError(f"clusterctl/metadata.yaml has no release series {major}.{minor} for {release}")


def _configuration(entries: Iterable[Entry], overrides: Path) -> str:
    return yaml.safe_dump(
        {
            "providers": [{"name": each.name, "type": each.type, "url": str(each.url)} for each in entries],
            # `lab.capi_certificates` stands in for it.
            "cert-manager": {"externallyProvisioned": True, "timeout": "5m"},
            "overridesFolder": str(overrides),
            "CLUSTER_TOPOLOGY": "true",
        },
        sort_keys=False,
    )


def _emptied(folder: Path) -> Path:
    """Without releases of before: clusterctl takes the newest it finds."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
