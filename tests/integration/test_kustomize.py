"""kustomize, as kubectl has it, makes of config/ what clusterctl's components are with their variables' defaults."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import release
from docs.evidence import ROOT
from lab import programs

CONFIG = ROOT / "config"
PROVIDER = "cluster.x-k8s.io/provider"


def kustomized(folder: Path) -> dict[tuple[str, str], Any]:
    command = [str(programs.path("kubectl")), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)}


def components() -> dict[tuple[str, str], Any]:
    """With their variables' defaults."""
    text = re.sub(r"\$\{\w+:=([^}]*)\}", r"\1", (ROOT / "clusterctl" / "control-plane-components.yaml").read_text())
    return unlabelled(text)


def unlabelled(text: str) -> dict[tuple[str, str], Any]:
    """Without the label that is clusterctl's."""
    found = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text)}
    for each in found.values():
        labels = each["metadata"]["labels"]
        del labels[PROVIDER]
        if not labels:
            del each["metadata"]["labels"]
    return found


def test_all_of_config_is_what_clusterctl_installs() -> None:
    assert kustomized(CONFIG) == components()


def test_plain_yaml_is_the_same(tmp_path: Path) -> None:
    """And Helm's chart, but for what only Helm needs: test_chart.py."""
    release.made(tmp_path / "release", programs.path("helm"))
    assert unlabelled((tmp_path / "release" / "install.yaml").read_text()) == kustomized(CONFIG)


def test_an_overlay_adds_monitoring_and_changes_what_it_likes(tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(CONFIG)
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    document = {
        "resources": ["../config", "../config/prometheus"],
        "replicas": [{"name": "kamaji-provider", "count": 2}],
    }
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(document))
    found = kustomized(overlay)
    assert found["Deployment", "kamaji-provider"]["spec"]["replicas"] == 2
    assert found.keys() - components().keys() == {
        ("PodMonitor", "kamaji-provider"),
        ("PrometheusRule", "kamaji-provider"),
    }


def test_an_overlay_switches_the_status_page_on_and_gives_it_its_rights(tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(CONFIG)
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    document = {"resources": ["../config"], "components": ["../config/statuspage"]}
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(document))
    found = kustomized(overlay)
    role, binding = ("ClusterRole", "kamaji-status-page"), ("ClusterRoleBinding", "kamaji-status-page")
    assert found.keys() - components().keys() == {role, binding}
    (container,) = found["Deployment", "kamaji-provider"]["spec"]["template"]["spec"]["containers"]
    assert container["env"][-1] == {"name": "KAMAJI_STATUS_PAGE_PORT", "value": "8082"}


@pytest.mark.parametrize("name", ["PodMonitor", "PrometheusRule"])
def test_monitoring_is_no_part_of_the_default(name: str) -> None:
    assert name not in {kind for kind, _ in kustomized(CONFIG)}
