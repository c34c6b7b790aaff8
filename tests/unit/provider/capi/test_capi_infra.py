from __future__ import annotations

from typing import Any

import pytest

from provider.api.verdict import Invalid
from provider.capi import infra
from provider.capi.infra import Row
from provider.capi.view import Infrastructure, View
from tests.unit.provider.capi import views

ROW = Row(
    group="infrastructure.cluster.x-k8s.io",
    plural="newclusters",
    mode="patch",
    host="spec.apiServer.host",
    port="spec.apiServer.port",
)


def seeing(kind: str, manifest: Any = None, *, group: str = ROW.group, unreadable: str = "", **known: Any) -> View:
    """A view of a Cluster on this infrastructure; `manifest` is what was read of it."""
    reference = {"apiGroup": group, "kind": kind, "name": "i"}
    status = known.pop("status", {})
    found = views.view(cluster=views.cluster(infrastructureRef=reference, status=status), **known)
    row = infra.row_of(found)
    endpoint = infra.endpoint(row, manifest) if row else None
    return found.seeing(Infrastructure(object=manifest, endpoint=endpoint, unreadable=unreadable))


def ours(manifest: Any) -> dict[str, Any]:
    """The object as one that its own provider leaves alone for us."""
    return {"metadata": {"annotations": {"cluster.x-k8s.io/managed-by": "kamaji"}}, **manifest}


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row whose endpoint is at no usual place."""
    monkeypatch.setattr(infra, "table", lambda: {"NewCluster": ROW})


def endpoint(host: Any, port: Any) -> dict[str, Any]:
    return {"spec": {"controlPlaneEndpoint": {"host": host, "port": port}}}


def test_a_cluster_without_infrastructure_needs_nothing() -> None:
    condition = infra.condition(views.view())
    assert (condition.status, condition.reason) == ("True", "NoInfrastructure")


def test_a_kind_that_is_not_in_the_table_is_left_to_the_contract() -> None:
    waiting = infra.condition(seeing("AnyCluster"))
    assert (waiting.status, waiting.reason) == ("False", "KindNotInTable")
    done = infra.condition(seeing("AnyCluster", status={"initialization": {"infrastructureProvisioned": True}}))
    assert (done.status, done.reason) == ("True", "ByContract")


def test_a_kind_of_the_same_name_in_another_group_is_not_the_one_in_the_table() -> None:
    row = infra.row_of(seeing("LabCluster", group="infrastructure.example"))
    assert row is not None
    assert (row.known, row.mode, row.host) == (False, "patch", "spec.controlPlaneEndpoint.host")


def test_an_object_that_is_not_there_or_cannot_be_read_is_told() -> None:
    assert infra.condition(seeing("LabCluster")).reason == "NotFound"
    condition = infra.condition(seeing("LabCluster", unreadable="labclusters is forbidden"))
    assert (condition.status, condition.reason) == ("False", "Unreadable")
    assert "labclusters is forbidden" in condition.message


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({}, "Succeeded"),
        (endpoint("10.0.0.1", 6443), "Succeeded"),
        (endpoint("", 20000), "Succeeded"),  # half an endpoint is none
        (endpoint("10.0.0.9", 6443), "EndpointMismatch"),
        (endpoint("10.0.0.1", 7443), "EndpointMismatch"),
    ],
)
def test_an_infrastructure_with_another_endpoint_is_told(manifest: Any, reason: str) -> None:
    assert infra.condition(seeing("LabCluster", manifest, tcp=views.tenant())).reason == reason


def test_a_kind_that_only_compares_is_never_written() -> None:
    assert infra.patch(seeing("LabCluster", {}, tcp=views.tenant())) is None


@pytest.mark.usefixtures("patched")
def test_a_kind_that_has_to_be_told_gets_the_endpoint_when_it_has_none() -> None:
    assert infra.patch(seeing("NewCluster", {"spec": {}}, tcp=views.tenant())) == {
        "spec": {"apiServer": {"host": "10.0.0.1", "port": 6443}}
    }


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("there", [{"host": "x"}, {"host": "x", "port": 1}])
def test_what_somebody_else_said_there_is_never_changed(there: Any) -> None:
    assert infra.patch(seeing("NewCluster", {"spec": {"apiServer": there}}, tcp=views.tenant())) is None


@pytest.mark.usefixtures("patched")
def test_nothing_is_told_before_there_is_an_endpoint_or_an_object() -> None:
    assert infra.patch(seeing("NewCluster", {})) is None
    assert infra.patch(seeing("NewCluster", tcp=views.tenant())) is None


@pytest.mark.usefixtures("patched")
def test_a_port_alone_is_no_endpoint() -> None:
    seen = {"spec": {"apiServer": {"port": 1}}}
    assert infra.patch(seeing("NewCluster", seen, tcp=views.tenant())) == {
        "spec": {"apiServer": {"host": "10.0.0.1", "port": 6443}}
    }


def test_a_kind_that_is_not_in_the_table_and_may_be_read_is_told_at_the_contracts_path() -> None:
    found = seeing("AnyCluster", {"spec": {}}, tcp=views.tenant())
    assert infra.patch(found) == endpoint("10.0.0.1", 6443)
    assert infra.condition(found).reason == "Succeeded"
    other = infra.condition(seeing("AnyCluster", endpoint("10.0.0.9", 6443), tcp=views.tenant()))
    assert other.reason == "EndpointMismatch"


def test_an_object_that_did_not_keep_the_endpoint_is_told() -> None:
    found = seeing("AnyCluster", {"spec": {}}, tcp=views.tenant())
    with pytest.raises(Invalid, match="EndpointNotTaken"):
        infra.taken(found, {"spec": {}})
    assert infra.taken(found, endpoint("10.0.0.1", 6443)).endpoint == ("10.0.0.1", 6443)


def test_an_object_that_is_left_to_us_is_told_also_where_its_kind_is_only_compared() -> None:
    assert infra.patch(seeing("Metal3Cluster", ours({"spec": {}}), tcp=views.tenant())) == endpoint("10.0.0.1", 6443)


MARK = {"ready": True, "initialization": {"provisioned": True}}


@pytest.mark.parametrize(
    ("kind", "manifest", "mark"),
    [
        ("AWSCluster", ours(endpoint("10.0.0.1", 6443)), MARK),
        ("AWSCluster", endpoint("10.0.0.1", 6443), None),  # its own provider does
        ("KubevirtCluster", endpoint("10.0.0.1", 6443), MARK),  # as upstream's provider does
        ("AWSCluster", ours({"spec": {}}), None),  # not told yet
        ("AWSCluster", ours(endpoint("10.0.0.9", 6443)), None),  # somebody said another
        ("AWSCluster", ours({**endpoint("10.0.0.1", 6443), "status": {"ready": True}}), None),
        (
            "AWSCluster",
            ours({**endpoint("10.0.0.1", 6443), "status": {"initialization": {"provisioned": True}}}),
            None,
        ),
        (
            "AWSCluster",
            {
                "metadata": {"annotations": {"cluster.x-k8s.io/managed-by": "terraform"}},
                **endpoint("10.0.0.1", 6443),
            },
            None,
        ),
    ],
)
def test_what_nobody_else_marks_is_marked_once_it_has_the_endpoint(kind: str, manifest: Any, mark: Any) -> None:
    assert infra.mark(seeing(kind, manifest, tcp=views.tenant())) == mark
