"""What a pass over a tenant says when something in it fails. The world is a dictionary; the parts have their own tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from provider.api import kinds
from provider.api.kinds import Kind
from provider.api.verdict import NotReady
from provider.cluster.apply import Applier
from provider.cluster.errors import ApiError, Conflict, Forbidden, Refused
from provider.cluster.session import Tenants
from provider.hosting import renewal
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.pacing import Starts
from provider.hosting.reconcile.tenant import TenantPass
from provider.hosting.view import Key, Keyspace, View, key_of
from provider.manifest import Manifest, mergepatch, meta
from provider.settings import Settings
from tests.golden.world import NOW, CountedMint, store, tenant

KEY = ("tenants", "demo")


@dataclass
class World:
    """A management cluster of objects by key; the tenant's status lands in the tenant."""

    objects: dict[Key, Manifest]
    refuses: str = ""  # a kind whose objects it does not take
    events: list[str] = field(default_factory=list)

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        return self.objects.get((kind.kind, namespace or "", name))

    async def list(self, kind: Kind, namespace: str | None = None, **_: Any) -> list[Manifest]:
        return [each for each in self.objects.values() if each["kind"] == kind.kind]

    async def look(self, kind: Kind, namespace: str | None = None, **_: Any) -> tuple[list[Manifest], str]:
        return await self.list(kind, namespace), "1"

    async def apply(self, manifest: Manifest, **_: Any) -> Manifest:
        if manifest["kind"] == self.refuses:
            raise Refused(422, "Invalid", f"{manifest['kind']} is invalid: spec.ports[0].nodePort: in use")
        live = mergepatch.merged(manifest, {"metadata": {"uid": "u", "resourceVersion": "1"}})
        if manifest["kind"] == "Service":
            live = mergepatch.merged(live, {"spec": {"clusterIP": "10.96.7.7"}})
        self.objects[key_of(live)] = live
        return live

    async def create(self, manifest: Manifest, **_: Any) -> Manifest:
        self.events.append(manifest["reason"])
        return manifest

    async def merge(self, kind: Kind, name: str, namespace: str, patch: Manifest, **_: Any) -> Manifest:
        found = self.objects[(kind.kind, namespace, name)]
        self.objects[key_of(found)] = mergepatch.merged(found, patch)
        return found


@dataclass
class Inside:
    """A tenant's API server that fails at one verb, and the connections that lead to it."""

    error: Exception
    verb: str
    server: str = "https://192.0.2.1:6443"

    async def session(self, *_: Any, **__: Any) -> Any:
        return self

    def applier(self, session: Any) -> Applier:
        return Applier(session, "kamaji")

    async def get(self, *_: Any, **__: Any) -> None:
        return None

    async def list(self, *_: Any, **__: Any) -> list[Manifest]:
        return self._or_fail("list", [])

    async def look(self, *_: Any, **__: Any) -> tuple[list[Manifest], str]:
        return await self.list(), "1"

    async def apply(self, manifest: Manifest, **_: Any) -> Manifest:
        live = mergepatch.merged(manifest, {"metadata": {"uid": "u", "resourceVersion": "1"}})
        return self._or_fail(f"apply {manifest['metadata']['name']}", live)

    def _or_fail(self, verb: str, answer: Any) -> Any:
        if verb == self.verb:
            raise self.error
        return answer


@dataclass
class Granted:
    """A store that has let the tenant in."""

    async def prepared(self, view: View) -> View:
        return replace(view, store=store(), keyspace=Keyspace(schema="s", user="u"))

    async def proven(self, view: View) -> View:
        return view.proven(("grant",))


@dataclass
class Store:
    """In the place of `reconcile.storage`: says what it was told to say, and how often it was asked."""

    error: Exception
    asked: int = field(default=0)

    async def prepared(self, view: View) -> View:
        self.asked += 1
        raise self.error


def world(raw: Manifest, refuses: str = "") -> World:
    raw["metadata"]["resourceVersion"] = "1"
    return World({key_of(raw): raw}, refuses)


def over(given: World, place: Store | Granted, inside: Inside | None = None) -> TenantPass:
    cluster: Any = given
    storage: Any = place
    tenants: Any = inside or Tenants()
    context = Context(
        cluster=cluster,
        settings=Settings(),
        clock=lambda: NOW,
        mint=CountedMint(),
        dial=lambda *_: pytest.fail("dialled"),
    )
    starts = Starts(limit=1, monotonic=lambda: 0.0, wake=lambda _: None)
    return TenantPass(
        context=context, tenants=tenants, starts=starts, storage=storage, applier=Applier(cluster, "kamaji")
    )


def conditions(given: World) -> dict[str, tuple[str, str]]:
    found = given.objects[("TenantControlPlane", *KEY)]["status"]["conditions"]
    return {each["type"]: (each["status"], each["reason"]) for each in found}


async def test_when_the_store_cannot_be_asked_the_tenant_is_not_said_to_be_ready() -> None:
    given = world(tenant())
    with pytest.raises(Conflict):
        await over(given, Store(Conflict(409, "Conflict", "somebody wrote meanwhile")))(KEY)
    said = conditions(given)
    assert said["StorageReady"] == ("Unknown", "ReconcileFailed")
    assert said["Ready"] == ("False", "ReconcileFailed")


async def test_when_the_store_cannot_be_asked_what_does_not_need_it_is_made() -> None:
    given = world(tenant())
    with pytest.raises(Conflict):
        await over(given, Store(Conflict(409, "Conflict", "somebody wrote meanwhile")))(KEY)
    made = {name for kind, _, name in given.objects if kind == kinds.SECRET.kind}
    assert {"demo-ca", "demo-api-server-certificate", "demo-admin-kubeconfig"} <= made
    assert "demo-datastore-config" not in made
    assert conditions(given)["PodsReady"] == ("False", "WaitingForPart")


async def test_a_store_that_is_not_ready_is_looked_at_again_and_said() -> None:
    given = world(tenant())
    again = await over(given, Store(NotReady("DataStoreNotReady", "DataStore default is not ready: x")))(KEY)
    assert again is not None
    assert conditions(given)["Ready"] == ("False", "DataStoreNotReady")


async def test_nothing_is_claimed_for_a_tenant_that_cannot_be_hosted() -> None:
    given, place = world(tenant(dataStoreSchema="a/b")), Store(RuntimeError("asked all the same"))
    assert await over(given, place)(KEY) is None
    assert place.asked == 0
    assert conditions(given)["Ready"] == ("False", "KeyspaceNameInvalid")


@pytest.mark.keeps("rules.pods")
async def test_what_the_management_cluster_refuses_is_told_in_its_own_words() -> None:
    given = world(tenant(), refuses="Service")
    await over(given, Store(NotReady("DataStoreNotReady", "x")))(KEY)
    assert conditions(given)["EndpointReady"] == ("False", "RefusedByManagementCluster")
    (said,) = (
        each["message"]
        for each in given.objects[("TenantControlPlane", *KEY)]["status"]["conditions"]
        if each["type"] == "EndpointReady"
    )
    assert "spec.ports[0].nodePort: in use" in said


async def test_a_paused_tenant_is_left_alone() -> None:
    given = world(tenant(annotations={"kamaji.clastix.io/paused": ""}))
    assert await over(given, Store(RuntimeError("asked all the same")))(KEY) is None
    assert list(given.objects) == [("TenantControlPlane", *KEY)]


async def test_what_another_operators_crd_let_in_and_we_cannot_read_is_told_and_left_alone() -> None:
    given = world(tenant(networkProfile={"port": 70000}))
    assert await over(given, Store(RuntimeError("asked all the same")))(KEY) is None
    assert conditions(given)["Ready"] == ("False", "Malformed")
    assert list(given.objects) == [("TenantControlPlane", *KEY)]


@pytest.mark.keeps("better.renewal")
async def test_one_that_sleeps_is_looked_at_all_the_same_for_its_certificates_age() -> None:
    given = world(tenant(controlPlane={"deployment": {"replicas": 0}}))
    assert await over(given, Granted())(KEY) == renewal.LONGEST
    assert conditions(given)["PodsReady"] == ("False", "Sleeping")


def serving() -> Manifest:
    status = {"podIP": "192.0.2.1", "containerStatuses": [{"name": "kube-apiserver", "ready": True}]}
    return meta.new(kinds.POD, "demo-1", "tenants", status=status)


def born() -> World:
    given = world(tenant(addons={"coreDNS": {}}))
    given.objects[key_of(serving())] = serving()
    return given


@pytest.mark.parametrize(
    ("verb", "joinable"),
    [
        ("list", ("Unknown", "ReconcileFailed")),
        ("apply kubelet-config", ("Unknown", "ReconcileFailed")),
        ("apply coredns", ("True", "Joinable")),
    ],
)
async def test_when_something_inside_fails_what_was_not_done_is_not_said_to_be_there(
    verb: str, joinable: tuple[str, str]
) -> None:
    given = born()
    with pytest.raises(ApiError):
        await over(given, Granted(), Inside(ApiError(500, "InternalError", "not yet"), verb))(KEY)
    assert conditions(given)["Joinable"] == joinable
    assert conditions(given)["AddonsReady"] == ("Unknown", "ReconcileFailed")


async def test_a_tenant_that_does_not_know_us_yet_is_asked_again_soon() -> None:
    given = born()
    again = await over(given, Granted(), Inside(Forbidden(403, "Forbidden", "RBAC: not synced"), "list"))(KEY)
    assert again is not None
    assert again < 1
    assert conditions(given)["Joinable"] == ("False", "ApiServerUnreachable")


async def test_what_a_tenant_refuses_is_the_users_to_correct() -> None:
    given = born()
    await over(given, Granted(), Inside(Refused(422, "Invalid", "spec.clusterIP: taken"), "apply kube-dns"))(KEY)
    assert conditions(given)["AddonsReady"] == ("False", "RefusedByTenant")
    assert conditions(given)["Joinable"] == ("True", "Joinable")
