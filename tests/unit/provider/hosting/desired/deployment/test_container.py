"""What the three containers share: lean where nobody says otherwise, restricted, and the user's where he writes something."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import names
from provider.api.verdict import Invalid
from provider.manifest import Manifest
from tests.golden.world import Walked, tenant, view, walk

PROGRAMS = {
    "kube-apiserver": "apiServer",
    "kube-controller-manager": "controllerManager",
    "kube-scheduler": "scheduler",
}
every_program = pytest.mark.parametrize("program", PROGRAMS)


def walked(annotations: dict[str, str] | None = None, **deployment: Any) -> Walked:
    return walk(view(tenant(controlPlane={"deployment": deployment}, annotations=annotations or {})))


def environment(container: Manifest) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


@every_program
def test_it_is_lean_by_itself_and_as_the_annotation_says_otherwise(program: str) -> None:
    assert environment(walked().container(program)) == {"GOGC": "25"}
    assert environment(walked({names.ANNOTATION_GOGC: "off"}).container(program)) == {"GOGC": "off"}


@every_program
@pytest.mark.parametrize(("limit", "heap"), [("1Gi", "966367641"), ("100M", "90000000"), (1000, "900")])
def test_a_memory_limit_bounds_gos_heap_below_it(program: str, limit: str | int, heap: str) -> None:
    found = walked(resources={PROGRAMS[program]: {"limits": {"memory": limit}}}).container(program)
    assert environment(found)["GOMEMLIMIT"] == heap
    assert found["resources"] == {"limits": {"memory": limit}}, "what the user wrote replaces our requests whole"


@every_program
def test_a_limit_of_another_kind_bounds_no_heap(program: str) -> None:
    found = walked(resources={PROGRAMS[program]: {"limits": {"cpu": "2"}}}).container(program)
    assert "GOMEMLIMIT" not in environment(found)


@every_program
def test_a_limit_that_is_no_quantity_is_refused_by_name(program: str) -> None:
    found = walked(resources={PROGRAMS[program]: {"limits": {"memory": "lots"}}}).declined["deployment"]
    assert isinstance(found, Invalid)
    assert found.reason == "ResourcesInvalid"
    assert f"memory limit of {program}: 'lots' is no quantity such as 512Mi" in found.message


@every_program
def test_it_asks_for_what_an_idle_one_uses(program: str) -> None:
    assert set(walked().container(program)["resources"]) == {"requests"}
    assert set(walked().container(program)["resources"]["requests"]) == {"cpu", "memory"}
    assert walked(resources={PROGRAMS[program]: {}}).container(program)["resources"] == {}


@every_program
def test_it_has_no_privilege_to_gain_and_nothing_to_write_to(program: str) -> None:
    found = walked().container(program)
    security = found["securityContext"]
    assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
    assert security["capabilities"]["drop"] == ["ALL"]
    assert all(each["readOnly"] for each in found["volumeMounts"])


@every_program
def test_a_security_context_the_user_writes_replaces_ours_whole(program: str) -> None:
    written = {"runAsUser": 7}
    found = walked(containerSecurityContexts={PROGRAMS[program]: written}).container(program)
    assert found["securityContext"] == written


@every_program
def test_the_users_mounts_come_first(program: str) -> None:
    mount = {"name": "extra", "mountPath": "/extra"}
    found = walked(additionalVolumeMounts={PROGRAMS[program]: [mount]}).container(program)
    assert found["volumeMounts"][0] == mount


@every_program
def test_the_program_is_the_command_and_the_image_is_never_pulled_twice(program: str) -> None:
    found = walked().container(program)
    assert found["command"] == [program]
    assert found["image"] == f"registry.k8s.io/{program}:v1.36.3"
    assert found["imagePullPolicy"] == "IfNotPresent"
