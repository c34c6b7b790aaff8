"""The names that users must not take are those that the builders give, and the versions that are let in those of the table."""

from __future__ import annotations

import pytest

from provider.api import additions, version
from provider.hosting import versions
from tests.golden.cases import CASES
from tests.golden.world import Walked

PATHS = {
    "kube-apiserver": additions.API_SERVER_PATHS,
    "kube-controller-manager": additions.CONTROLLER_MANAGER_PATHS,
    "kube-scheduler": additions.SCHEDULER_PATHS,
}


@pytest.fixture(scope="module")
def walks() -> list[Walked]:
    return [each.walked() for each in CASES if "deployment" not in each.walked().declined]


@pytest.mark.keeps("rules.pods")
def test_every_container_and_volume_of_ours_is_a_name_that_nobody_else_can_have(walks: list[Walked]) -> None:
    containers, volumes = set(), set()
    for each in walks:
        mine = each.view.tcp.deployment
        containers |= {c["name"] for c in each.pod["containers"]} - {c["name"] for c in mine.additional_containers}
        volumes |= {v["name"] for v in each.pod["volumes"]} - {v["name"] for v in mine.additional_volumes}
    assert containers == set(additions.CONTAINERS)
    assert volumes == set(additions.VOLUMES)


@pytest.mark.keeps("rules.pods")
def test_every_path_that_we_mount_is_one_that_nobody_else_can_have(walks: list[Walked]) -> None:
    found: dict[str, set[str]] = {each: set() for each in PATHS}
    for each in walks:
        mounts = each.view.tcp.deployment.additional_volume_mounts
        users = {m["mountPath"] for m in (*mounts.api_server, *mounts.controller_manager, *mounts.scheduler)}
        for name in PATHS:
            found[name] |= {m["mountPath"] for m in each.container(name)["volumeMounts"]} - users
    for name, paths in PATHS.items():
        assert found[name] <= set(paths), name
        assert set(paths) - found[name] <= {"/etc/kubernetes/pki"}, f"{name}: reserved for nothing"


@pytest.mark.keeps("rules.version")
def test_the_versions_let_in_are_those_of_the_table() -> None:
    assert versions.supported() == (f"1.{version.OLDEST}", f"1.{version.NEWEST}")
