"""The infrastructure providers of providers.toml: CRDs from the Go modules of their releases, and our templates for them."""

from __future__ import annotations

import os
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import capi_repository, programs

HERE = Path(__file__).parent
TABLE = HERE / "providers.toml"
TEMPLATES = Path(__file__).parents[3] / "clusterctl" / "templates"
INSTEAD = os.environ.get("CAPI_KAMAJI_PROVIDER_CRDS")
VERSION = "v1.36.3"
EXTRA = {"AzureClusterTemplate"}  # no template of ours uses it; a test tells why

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Provider:
    """One row, and the files of ours that go with it."""

    name: str
    row: dict[str, Any]

    @property
    def plain(self) -> Path:
        return TEMPLATES / self.name / "cluster-template-kamaji.yaml"

    @property
    def topology(self) -> Path:
        return TEMPLATES / self.name / "cluster-template-kamaji-topology.yaml"

    @property
    def cluster_class(self) -> Path:
        return TEMPLATES / self.name / f"clusterclass-kamaji-{self.name}.yaml"

    @property
    def has_class(self) -> bool:
        return self.cluster_class.exists()

    @property
    def kinds(self) -> set[str]:
        """Infrastructure kinds that the templates name."""
        files = [self.plain, self.cluster_class] if self.has_class else [self.plain]
        named = [each for file in files for each in documents(file.read_text())]
        return {each["kind"] for each in named if each["apiVersion"].startswith("infrastructure.")} | EXTRA

    def crds(self) -> list[Manifest]:
        """Their CRDs, with the labels that a release gives them."""
        found = [each for file in self._files() for each in documents(file.read_text())]
        wanted = [each for each in found if each["spec"]["names"]["kind"] in self.kinds]
        missing = self.kinds - EXTRA - {each["spec"]["names"]["kind"] for each in wanted}
        assert not missing, f"{self.name} {self.row['version']} has no {missing}"
        return [labelled(each, self.row["contracts"]) for each in wanted]

    def _files(self) -> list[Path]:
        if "written" in self.row:
            return written(self.row["written"])
        return sorted((self.module() / self.row["crds"]).glob("infrastructure.*.yaml"))

    def module(self) -> Path:
        """The release's module, fetched when it is not there."""
        return capi_repository.fetched(self.row, TABLE)


def written(name: str) -> list[Path]:
    """Files with the CRDs of a provider whose module is not served: the real ones where they were given."""
    if INSTEAD and (given := sorted((Path(INSTEAD) / Path(name).stem).glob("*.yaml"))):
        return given
    return [HERE / "written" / name]


def documents(text: str) -> list[Manifest]:
    """All of a YAML stream; by the C parser, for CRDs are long."""
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


def labelled(crd: Manifest, contracts: dict[str, str]) -> Manifest:
    """A CRD with contract labels and without its prose, which is most of it."""
    crd["metadata"]["labels"] = {f"cluster.x-k8s.io/{contract}": version for contract, version in contracts.items()}
    made: Manifest = without_prose(crd)
    return made


def without_prose(schema: Any) -> Any:
    if isinstance(schema, list):
        return [without_prose(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    # A property may be called so, too: then its value is a schema.
    said = {key: each for key, each in schema.items() if key != "description" or not isinstance(each, str)}
    return {key: without_prose(each) for key, each in said.items()}


def providers() -> list[Provider]:
    return [Provider(name, row) for name, row in tomllib.loads(TABLE.read_text()).items()]


def generated(folder: Path, namespace: str, *arguments: str, variables: dict[str, str], workers: int = 1) -> str:
    """`clusterctl generate cluster c`, real, with nothing but these variables and nobody outside to ask."""
    config = folder / "clusterctl.yaml"
    if not config.exists():
        config.write_text("{}\n")
    command = [programs.path("clusterctl"), "--config", config, "generate", "cluster", "c", *arguments]
    command += ["--target-namespace", namespace, "--kubernetes-version", VERSION]
    command += ["--control-plane-machine-count", "2", "--worker-machine-count", str(workers)]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "CLUSTERCTL_DISABLE_VERSIONCHECK": "true",
        "GOPROXY": "off",
        **variables,
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout
