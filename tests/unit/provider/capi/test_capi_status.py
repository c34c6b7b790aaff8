from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from provider.api.verdict import Invalid, NotReady
from provider.capi import status
from provider.capi.status import conditions
from provider.capi.view import View
from tests.unit.provider.capi import views

ENDPOINT = {"controlPlaneEndpoint": {"host": "10.0.0.1", "port": 6443}}
POLARITY = {
    "Available": "True",
    "Initialized": "True",
    "TenantControlPlaneCreated": "True",
    "CertificatesAvailable": "True",
    "ControlPlaneEndpointPatched": "True",
    "InfrastructureClusterPatched": "True",
    "RollingOut": "False",
    "ScalingUp": "False",
    "ScalingDown": "False",
    "Deleting": "False",
    "Paused": "False",
}
"""What each condition says when all is well."""


def well(*, stands: Any = None, spec: Any = None, **known: Any) -> View:
    """A control plane that serves, with its Secrets and its endpoint told. `stands`: its status."""
    kcp = views.raw(status=stands, **ENDPOINT, **(spec or {}))
    return views.view(kcp, **{"tcp": views.tenant(), "secrets": views.complete(), **known})


def said(view: View, problems: Any = None, **known: Any) -> dict[str, dict[str, Any]]:
    """Conditions by type."""
    found = status.of(view, problems or {}, **known)["conditions"]
    return {each["type"]: each for each in found}


def versions(**tenant: Any) -> Any:
    stands = tenant.pop("stands", None)
    wanted = {"version": tenant["asked"]} if "asked" in tenant else {}
    return status.of(well(stands=stands, spec=wanted, tcp=views.tenant(**tenant)), {}).get("versions")


# --- conditions


def test_when_all_is_well_each_condition_says_so_and_needs_no_words() -> None:
    found = said(well())
    assert {kind: each["status"] for kind, each in found.items()} == POLARITY
    assert [each["message"] for kind, each in found.items() if kind != "InfrastructureClusterPatched"] == [""] * 10


def test_every_condition_has_what_the_contract_asks_for() -> None:
    for view in (well(), views.view()):
        for each in said(view).values():
            assert each["status"] in ("True", "False", "Unknown")
            assert each["reason"]
            assert each["observedGeneration"] == 3
            assert each["lastTransitionTime"] == "2026-11-24T12:00:00Z"


def test_before_there_is_a_tenant_it_says_what_it_waits_for() -> None:
    found = said(views.view())
    assert found["Available"]["status"] == "False"
    assert "ns/kcp" in found["Available"]["message"]
    assert found["Initialized"]["message"] == (
        "waiting for an API server that answers, its endpoint, the Cluster's kubeconfig and CA"
    )
    assert found["CertificatesAvailable"]["reason"] == "WaitingForCertificates"
    assert found["ScalingUp"]["message"] == "0 of 2 pods are there"


def test_while_the_api_server_does_not_answer_the_hosting_room_says_why() -> None:
    found = said(well(tcp=views.tenant(ready="False")))
    assert found["Available"]["status"] == "False"
    assert (found["Available"]["reason"], found["Available"]["message"]) == ("Told", "as the hosting room says")


def test_an_operator_without_conditions_is_told_by_its_phase_word() -> None:
    found = said(well(tcp=views.tenant(ready=None, phase="NotReady")))
    assert found["Available"]["message"].startswith("TenantControlPlane ns/kcp says NotReady")


@pytest.mark.parametrize(
    ("error", "truth", "reason"),
    [
        (NotReady("Waiting", "wait"), "False", "Waiting"),
        (Invalid("Wrong", "correct it"), "False", "Wrong"),
        (RuntimeError("secret words"), "Unknown", "ReconcileFailed"),
    ],
)
@pytest.mark.parametrize(
    "kind", [conditions.TENANT, conditions.CERTIFICATES, conditions.ENDPOINT, conditions.INFRASTRUCTURE]
)
def test_what_goes_wrong_is_told_at_its_step_and_hides_nothing_else(
    kind: str, error: Exception, truth: str, reason: str
) -> None:
    found = said(well(), {kind: error})
    assert (found[kind]["status"], found[kind]["reason"]) == (truth, reason)
    assert found["Available"]["status"] == "True"
    assert "secret words" not in found[kind]["message"]


def test_without_an_api_server_the_first_thing_that_went_wrong_stands_in_the_way() -> None:
    problems = {conditions.TENANT: Invalid("NameTaken", "another's"), conditions.ENDPOINT: NotReady("Later", "wait")}
    assert said(views.view(), problems)["Available"]["reason"] == "NameTaken"


def test_an_endpoint_of_the_cluster_that_is_another_is_told() -> None:
    agreed = {"controlPlaneEndpoint": {"host": "10.0.0.9", "port": 6443}}
    found = said(well(cluster=views.cluster(**agreed)))["ControlPlaneEndpointPatched"]
    assert (found["status"], found["reason"]) == ("False", "EndpointMismatch")
    assert "10.0.0.9 port 6443" in found["message"]


@pytest.mark.parametrize(
    ("wanted", "numbers", "true"),
    [
        (2, (2, 2, 2), set()),
        (3, (2, 2, 2), {"ScalingUp"}),
        (1, (2, 2, 2), {"ScalingDown"}),
        (0, (2, 2, 2), {"ScalingDown"}),
        (0, (0, 0, 0), set()),
        (2, (4, 2, 2), {"RollingOut"}),  # twice as many for a while: no scaling down
        (2, (2, 1, 2), {"RollingOut"}),
        (2, (1, 0, 1), {"RollingOut", "ScalingUp"}),
    ],
)
def test_movements_are_true_while_they_last_and_say_how_far_they_are(
    wanted: int, numbers: tuple[int, int, int], true: set[str]
) -> None:
    found = said(well(spec={"replicas": wanted}, tcp=views.tenant(numbers=numbers)))
    movements = {kind: found[kind] for kind in ("RollingOut", "ScalingUp", "ScalingDown")}
    assert {kind for kind, each in movements.items() if each["status"] == "True"} == true
    assert all(bool(each["message"]) == (kind in true) for kind, each in movements.items())


def test_an_upgrade_is_a_roll_out_also_before_its_first_pod() -> None:
    tcp = views.tenant(phase="Upgrading", asked="v1.37.0")
    assert said(well(tcp=tcp))["RollingOut"]["status"] == "True"


def test_on_the_way_out_it_says_what_is_waited_for() -> None:
    found = said(well(), deleting="waiting for TenantControlPlane ns/kcp to be gone")["Deleting"]
    assert (found["status"], found["reason"]) == ("True", "WaitingForTenantControlPlane")
    assert found["message"] == "waiting for TenantControlPlane ns/kcp to be gone"


def test_a_condition_keeps_its_time_and_its_place_until_it_turns() -> None:
    before = status.of(well(), {})
    view = well(stands=before, tcp=views.tenant(ready="False"), now=views.NOW + timedelta(hours=1))
    after = status.of(view, {})["conditions"]
    assert [each["type"] for each in after] == [each["type"] for each in before["conditions"]]
    moved = {each["type"] for each in after if each["lastTransitionTime"] != "2026-11-24T12:00:00Z"}
    assert moved == {"Available"}


def test_an_unchanged_world_says_the_same() -> None:
    before = status.of(well(), {})
    assert status.of(well(stands=before, now=views.NOW + timedelta(days=1)), {}) == before


def test_while_paused_only_that_moves() -> None:
    before = status.of(well(), {})
    view = well(stands=before, cluster=views.cluster(paused=True), tcp=None)
    after = status.paused(view)
    rest = [each for each in after["conditions"] if each["type"] != "Paused"]
    assert rest == [each for each in before["conditions"] if each["type"] != "Paused"]
    paused = next(each for each in after["conditions"] if each["type"] == "Paused")
    assert (paused["status"], paused["reason"]) == ("True", "Paused")
    assert paused["message"] == "Cluster spec.paused is set to true"
    assert {**after, "conditions": None} == {**before, "conditions": None}


def test_a_cluster_that_names_another_control_plane_is_told_and_nothing_else() -> None:
    reference = {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KamajiControlPlane", "name": "first"}
    found = status.unreferred(views.view(cluster=views.cluster(controlPlaneRef=reference)))
    assert set(found) == {"conditions"}
    (available,) = found["conditions"]
    assert (available["type"], available["status"]) == ("Available", "False")
    assert "Cluster ns/c names KamajiControlPlane first as its control plane" in available["message"]
    assert (
        "names no control plane"
        in status.unreferred(views.view(cluster=views.cluster(controlPlaneRef=None)))["conditions"][0]["message"]
    )


# --- initialized


def test_a_control_plane_is_initialized_when_it_serves_with_secrets_and_endpoint() -> None:
    assert status.of(well(), {})["initialization"] == {"controlPlaneInitialized": True}


@pytest.mark.parametrize(
    "lacking",
    [
        {"tcp": views.tenant(ready="False")},
        {"tcp": views.tenant(endpoint="")},
        {"tcp": views.tenant(endpoint="10.0.0.2:6443")},  # not told yet
        {"secrets": {}},
        {"secrets": {"c-ca": views.complete()["c-ca"]}},
        {"authorities": {"ca": {"ca.crt": b"another"}}},
    ],
)
def test_it_is_not_before(lacking: Any) -> None:
    assert "initialization" not in status.of(well(**lacking), {})


def test_once_initialized_it_stays_so() -> None:
    stands = {"initialization": {"controlPlaneInitialized": True}}
    found = status.of(well(stands=stands, tcp=None, secrets={}), {})
    assert found["initialization"] == {"controlPlaneInitialized": True}
    assert found["ready"] is False


# --- numbers


def test_numbers_are_written_also_when_they_are_zero() -> None:
    zero = {"replicas": 0, "readyReplicas": 0, "availableReplicas": 0, "upToDateReplicas": 0}
    assert zero.items() <= status.of(views.view(), {}).items()
    stands = {**zero, "replicas": 3, "readyReplicas": 3}
    assert zero.items() <= status.of(well(stands=stands, tcp=views.tenant(numbers=(0, 0, 0))), {}).items()


def test_numbers_are_those_of_the_pods() -> None:
    found = status.of(well(tcp=views.tenant(numbers=(4, 2, 3))), {})
    assert (found["replicas"], found["upToDateReplicas"]) == (4, 2)
    assert (found["readyReplicas"], found["availableReplicas"]) == (3, 3)
    assert found["selector"] == "kamaji.clastix.io/name=kcp"
    assert found["externalManagedControlPlane"] is True


# --- versions

OLD, NEW = "v1.36.3", "v1.37.1"


def test_a_settled_control_plane_runs_one_version() -> None:
    assert versions() == [{"version": OLD, "replicas": 2}]


def test_versions_carry_their_v_whatever_the_operator_and_the_user_write() -> None:
    assert versions(version="1.36.3", asked="1.36.3") == [{"version": OLD, "replicas": 2}]


def test_before_the_first_answer_there_is_no_version() -> None:
    assert versions(version=None, phase="Provisioning", ready="False") is None
    assert "version" not in status.of(views.view(), {})


def test_the_first_answer_has_a_version_though_not_every_pod_is_there() -> None:
    assert versions(version=None, phase="Provisioning", numbers=(2, 2, 1)) == [{"version": OLD, "replicas": 2}]


@pytest.mark.parametrize(
    ("phase", "numbers", "running"),
    [
        ("Ready", (2, 2, 2), [(OLD, 2)]),  # asked for, not begun
        ("Upgrading", (2, 0, 2), [(OLD, 2)]),
        ("Upgrading", (3, 1, 2), [(OLD, 2), (NEW, 1)]),
        ("Upgrading", (4, 2, 4), [(OLD, 2), (NEW, 2)]),
        ("Upgrading", (2, 2, 2), [(OLD, None), (NEW, 2)]),  # the hosting room has not said that it is over
        ("NotReady", (2, 2, 0), [(OLD, 2)]),
    ],
)
def test_in_an_upgrade_the_old_version_is_told_until_the_hosting_room_says_it_is_over(
    phase: str, numbers: tuple[int, int, int], running: list[tuple[str, int | None]]
) -> None:
    found = versions(version=OLD, asked=NEW, phase=phase, numbers=numbers)
    assert [(each["version"], each.get("replicas")) for each in found] == running


def test_after_an_upgrade_the_new_version_stands_alone() -> None:
    assert versions(version=NEW, asked=NEW) == [{"version": NEW, "replicas": 2}]


def test_the_version_of_old_consumers_is_the_oldest() -> None:
    tcp = views.tenant(version=OLD, asked=NEW, phase="Upgrading", numbers=(4, 2, 4))
    assert status.of(well(tcp=tcp), {})["version"] == OLD


def test_a_change_of_version_before_the_first_roll_out_was_over_tells_both() -> None:
    stands = {"versions": [{"version": OLD, "replicas": 2}]}
    found = versions(stands=stands, version=None, phase="Provisioning", asked=NEW, numbers=(3, 1, 2))
    assert found == [{"version": OLD, "replicas": 2}, {"version": NEW, "replicas": 1}]


def test_asleep_it_keeps_its_version_without_a_number() -> None:
    assert versions(phase="Sleeping", ready="False", numbers=(0, 0, 0)) == [{"version": OLD}]


def test_pods_that_end_while_it_falls_asleep_keep_the_version_they_run() -> None:
    stands = {"versions": [{"version": OLD, "replicas": 2}]}
    asleep = {"phase": "Sleeping", "ready": "False", "version": NEW, "asked": NEW}
    assert versions(stands=stands, numbers=(1, 0, 0), **asleep) == stands["versions"]
    assert versions(stands=stands, numbers=(0, 0, 0), **asleep) == [{"version": NEW}]


def test_versions_stay_when_the_tenant_is_gone() -> None:
    stands = {"versions": [{"version": OLD, "replicas": 2}], "version": OLD}
    found = status.of(well(stands=stands, tcp=None), {})
    assert [each["version"] for each in found["versions"]] == [OLD]
    assert found["version"] == OLD


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("v1.36.3", "v1.36.10"),
        ("v1.9.9", "v1.36.0"),
        ("v1.37.0-rc.1", "v1.37.0"),
        ("v1.37.0-alpha.2", "v1.37.0-alpha.10"),
        ("v1.37.0-alpha.10", "v1.37.0-beta.1"),
        ("v1.36.3", "v1.36.3+vendor.1"),
        ("v1.36.3+vendor.2", "v1.36.3+vendor.10"),
    ],
)
def test_versions_are_in_the_order_that_cluster_api_checks(older: str, newer: str) -> None:
    for installed, asked in ((older, newer), (newer, older)):  # a patch release may be taken back
        found = versions(version=installed, asked=asked, phase="Upgrading", numbers=(4, 2, 4))
        assert [each["version"] for each in found] == [older, newer]
