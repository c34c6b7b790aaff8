"""Status of a tenant: one condition says what is wrong and what to do; the phase word is upstream's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provider.api import kinds
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.hosting.catalog import Step
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.status import tenant as status
from provider.hosting.view import Keyspace, Seen, View
from provider.manifest import Manifest, meta
from provider.settings import Settings

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Silent:
    """A part that says nothing: what is tested is the walk's outcome."""

    def __init__(self, name: str) -> None:
        self.NAME = name

    def build(self, view: View) -> Any:
        return iter(())

    def report(self, view: View) -> dict[str, Any]:
        return {}


STEPS = [
    Step(Silent("spec"), "Accepted"),
    Step(Silent("service"), "EndpointReady"),
    Step(Silent("datastore"), "StorageReady"),
    Step(Silent("deployment"), "PodsReady", needs=("datastore",)),
    Step(Silent("kubeadm"), "Joinable", needs=("deployment",), target="tenant"),
]


def raw(**given: Any) -> Manifest:
    spec = {
        "kubernetes": {"version": "v1.36.3", "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    }
    found = meta.new(kinds.TENANT_CONTROL_PLANE, "t", "ns", spec=spec, **given)
    found["metadata"] |= {"uid": "u", "generation": 3, "resourceVersion": "1"}
    return found


def deployment(wanted: int, /, **state: int) -> Manifest:
    found = meta.new(kinds.DEPLOYMENT, "t", "ns", spec={"replicas": wanted}, status={"observedGeneration": 1, **state})
    found["metadata"]["generation"] = 1
    return found


SERVING = {"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2}


def view(*objects: Manifest, before: dict[str, Any] | None = None, now: datetime = NOW) -> View:
    manifest = raw(**({"status": before} if before else {}))
    return View(
        tcp=TenantControlPlane.parse(manifest),
        raw=manifest,
        seen=Seen().with_objects(*objects),
        store=None,
        keyspace=None,
        tenant=None,
        settings=Settings(),
        now=now,
        mint=RandomMint(),
    )


def of(
    seen: View, declined: dict[str, Verdict] | None = None, failed: dict[str, Exception] | None = None
) -> dict[str, Any]:
    return status.of(seen, STEPS, declined or {}, failed or {})


def condition(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(each for each in found["conditions"] if each["type"] == kind)


def phase(found: dict[str, Any]) -> str:
    return str(found["kubernetesResources"]["version"]["status"])


def test_when_all_is_well_it_is_ready_and_the_version_is_installed() -> None:
    found = of(view(deployment(2, **SERVING)))
    assert condition(found, "Ready")["status"] == "True"
    assert found["kubernetesResources"]["version"] == {"version": "v1.36.3", "status": "Ready"}
    assert found["observedGeneration"] == 3


def test_ready_says_what_the_first_part_that_declined_says() -> None:
    declined = {
        "datastore": NotReady("DataStoreNotFound", "DataStore x does not exist: create it"),
        "deployment": NotReady("WaitingForPart", "waiting for datastore"),
        "kubeadm": NotReady("WaitingForPart", "waiting for deployment"),
    }
    found = of(view(), declined)
    assert condition(found, "Ready")["reason"] == "DataStoreNotFound"
    assert condition(found, "Ready")["message"] == "DataStore x does not exist: create it"
    assert phase(found) == "Provisioning"


def test_what_a_user_must_do_is_said_the_same_way() -> None:
    found = of(view(), {"spec": Invalid("VersionTooOld", "v1.20.0 is older than 1.33")})
    assert condition(found, "Accepted") | {"lastTransitionTime": ""} == {
        "type": "Accepted",
        "status": "False",
        "reason": "VersionTooOld",
        "message": "v1.20.0 is older than 1.33",
        "observedGeneration": 3,
        "lastTransitionTime": "",
    }


@pytest.mark.keeps("better.observed")
def test_a_change_that_comes_during_a_pass_is_not_said_to_be_observed() -> None:
    begun = view(deployment(2, **SERVING))
    newer = {**begun.raw, "metadata": {**begun.raw["metadata"], "generation": 9}}
    found = of(begun.claimed(Keyspace(schema="s", user="u"), newer))
    assert found["observedGeneration"] == 3
    assert {each["observedGeneration"] for each in found["conditions"]} == {3}


def test_a_failure_of_ours_tells_no_secret() -> None:
    found = of(view(), failed={"service": RuntimeError("password=hunter2")})
    assert condition(found, "EndpointReady")["status"] == "Unknown"
    assert "hunter2" not in str(found)


def test_a_status_that_stands_is_said_again_to_the_letter() -> None:
    first = of(view(deployment(2, **SERVING)))
    again = of(view(deployment(2, **SERVING), before=first, now=NOW + timedelta(hours=1)))
    assert again == first


@pytest.mark.keeps("better.phases")
@pytest.mark.parametrize(
    ("before", "made", "word"),
    [
        (None, deployment(2), "Provisioning"),
        ("v1.36.3", deployment(2), "NotReady"),
        ("v1.36.3", deployment(0), "Sleeping"),
        ("v1.35.4", deployment(2, replicas=4, readyReplicas=2, updatedReplicas=2), "Upgrading"),
        ("v1.36.3", deployment(2, replicas=3, readyReplicas=2, updatedReplicas=1), "Ready"),
    ],
)
def test_the_phase_word_is_upstreams_and_never_unknown(before: str | None, made: Manifest, word: str) -> None:
    installed = {"kubernetesResources": {"version": {"version": before}}} if before else None
    assert phase(of(view(made, before=installed))) == word


def test_an_image_that_cannot_be_pulled_is_named() -> None:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "name": "kube-apiserver", "image": "nowhere/x:v1"}
    pod = meta.new(kinds.POD, "t-1", "ns", status={"containerStatuses": [waiting]})
    found = of(view(deployment(2), pod))
    assert condition(found, "PodsReady")["reason"] == "ImageUnavailable"
    assert "nowhere/x:v1" in condition(found, "PodsReady")["message"]
