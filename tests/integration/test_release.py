"""A release is complete, sums up, is the same when it is made again, and clusterctl and helm read it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import release
from config.chart.__main__ import CHART, ROOT
from lab import programs

NAMESPACE = "kamaji-system"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make release` makes it."""
    target = tmp_path_factory.mktemp("release") / "dist"
    release.made(target, programs.path("helm"))
    return target


@pytest.fixture(scope="module")
def version(made: Path) -> str:
    (folder,) = (made / "control-plane-kamaji").iterdir()
    return folder.name


def rendered(helm_chart: Path) -> list[Any]:
    command = [str(programs.path("helm")), "template", "kamaji", str(helm_chart), "--namespace", NAMESPACE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def test_every_file_is_summed_up_and_sha256sum_finds_them_whole(made: Path) -> None:
    listed = {line.partition("  ")[2] for line in (made / "SHA256SUMS").read_text().splitlines()}
    there = {str(each.relative_to(made)) for each in made.rglob("*") if each.is_file()}
    assert listed == there - {"SHA256SUMS"}
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=made, capture_output=True, check=False).returncode == 0


def test_a_file_that_was_changed_is_noticed(made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(made, tmp_path / "copy")
    with (copy / "install.yaml").open("a") as file:
        file.write("# more\n")
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "install.yaml: FAILED" in done.stdout


def test_made_again_it_is_the_same_to_the_byte(made: Path, tmp_path: Path) -> None:
    release.made(tmp_path / "again", programs.path("helm"))
    assert (tmp_path / "again" / "SHA256SUMS").read_text() == (made / "SHA256SUMS").read_text()


def test_it_has_every_way_to_install(made: Path, version: str) -> None:
    documents = list(yaml.safe_load_all((made / "install.yaml").read_text()))
    assert "${" not in (made / "install.yaml").read_text()
    components = ROOT / "clusterctl" / "control-plane-components.yaml"
    assert len(documents) == len(list(yaml.safe_load_all(components.read_text())))
    assert rendered(made / f"capi-kamaji-{version.removeprefix('v')}.tgz") == rendered(CHART)
    infrastructures = {each.name for each in (ROOT / "clusterctl" / "templates").iterdir()} - {"lab"}
    assert {each.name for each in (made / "templates").iterdir()} == infrastructures
    assert {each.name for each in (made / "monitoring").iterdir()} >= {"rules.yaml", "podmonitor.yaml", "fleet.json"}


def test_the_image_it_installs_is_of_its_version(made: Path, version: str) -> None:
    assert re.findall(r"image: \S+:(\S+)", (made / "install.yaml").read_text()) == [version]


def test_the_bill_names_every_package_of_the_image_with_its_hashes(made: Path) -> None:
    bill = json.loads((made / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "capi-kamaji")
    locked = (ROOT / "requirements-provider.lock").read_text()
    pinned = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;]+)", locked, re.MULTILINE))
    assert len(pinned) > 20
    found = {each["name"]: each for each in bill["components"]}
    assert {name: each["version"] for name, each in found.items()} == pinned
    for name, each in found.items():
        hashes = {one["content"] for reference in each["externalReferences"] for one in reference["hashes"]}
        assert hashes and all(f"sha256:{one}" in locked for one in hashes)
        assert each["purl"] == f"pkg:pypi/{name}@{pinned[name]}"


def test_clusterctl_reads_it(made: Path, version: str, tmp_path: Path) -> None:
    components = made / "control-plane-kamaji" / version / "control-plane-components.yaml"
    provider = {"name": "kamaji", "type": "ControlPlaneProvider", "url": str(components)}
    config = tmp_path / "clusterctl.yaml"
    config.write_text(yaml.safe_dump({"providers": [provider], "overridesFolder": str(tmp_path / "overrides")}))
    command = [str(programs.path("clusterctl")), "generate", "provider", "--control-plane", f"kamaji:{version}"]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [*command, "--config", str(config)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    said = {(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(done.stdout) if each}
    wanted = yaml.safe_load_all((made / "install.yaml").read_text())
    assert said >= {(each["kind"], each["metadata"]["name"]) for each in wanted}
