"""What `clusterctl init` installs is assembled from config/, not stale, and keeps the clusterctl provider contract."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPONENTS = ROOT / "clusterctl" / "control-plane-components.yaml"
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all(COMPONENTS.read_text()))


def made_by(script: str) -> Any:
    spec = importlib.util.spec_from_file_location(script, ROOT / "config" / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of(kind: str) -> list[dict[str, Any]]:
    return [each for each in DOCUMENTS if each["kind"] == kind]


def test_the_components_are_what_config_makes() -> None:
    assert COMPONENTS.read_text() == made_by("assemble").assembled(), "run `make generate`"


def test_the_kustomization_is_what_config_makes() -> None:
    kustomize = made_by("kustomize")
    assert kustomize.TARGET.read_text() == kustomize.made(), "run `make generate`"


def test_every_object_says_which_provider_it_is_of() -> None:
    for each in DOCUMENTS:
        assert each["metadata"]["labels"]["cluster.x-k8s.io/provider"] == "control-plane-kamaji"


def test_there_is_one_namespace_and_everything_of_a_namespace_is_in_it() -> None:
    (namespace,) = of("Namespace")
    spread = {each["metadata"].get("namespace", namespace["metadata"]["name"]) for each in DOCUMENTS}
    assert spread == {namespace["metadata"]["name"]}


def test_the_program_runs_in_a_container_called_manager() -> None:
    (deployment,) = of("Deployment")
    names = [each["name"] for each in deployment["spec"]["template"]["spec"]["containers"]]
    assert "manager" in names


def test_every_role_is_bound_and_every_binding_has_its_role() -> None:
    for role in ("Role", "ClusterRole"):
        made = {each["metadata"]["name"] for each in of(role)}
        bound = {
            each["roleRef"]["name"]
            for each in [*of("RoleBinding"), *of("ClusterRoleBinding")]
            if each["roleRef"]["kind"] == role
        }
        assert bound == made


def test_no_right_is_given_by_a_star() -> None:
    for each in [*of("Role"), *of("ClusterRole")]:
        for rule in each["rules"]:
            said = {*rule.get("verbs", ()), *rule.get("resources", ()), *rule.get("apiGroups", ())}
            assert "*" not in said, f"{each['metadata']['name']}: {rule}"
