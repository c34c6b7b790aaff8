"""Services, Ingresses and TLSRoutes before a real API server: what is asked, what is taken back, and what comes late."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from lab.servers import ApiServer, Etcd
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.capi.desired import tenantcontrolplane
from provider.capi.model import Cluster as ClusterObject
from provider.capi.model import KamajiControlPlane
from provider.capi.view import Place, View
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.hosting.desired import gateway
from provider.hosting.gatewaywatch import GatewayWatch, Routed
from provider.hosting.view import Seen
from provider.manifest import Manifest, meta
from tests.golden import world as golden
from tests.integration.exposure_world import (
    CRDS,
    MANAGER,
    PROVIDER,
    ExposureWorld,
    condition,
    gateway_crds,
    message,
    rights,
    until,
)

COUNTER = itertools.count(1)
HOST = "demo.example.com"
SERVICE = {"serviceType": "ClusterIP"}
BALANCER = {"service": {"serviceType": "LoadBalancer"}}
MADE = (kinds.SECRET, kinds.SERVICE, kinds.INGRESS, kinds.CONFIG_MAP)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """An API server of this module's own: Gateway API comes and goes in it."""
    server = ApiServer(tmp_path_factory.mktemp("exposure"), plain_etcd, prefix="/exposure").start()
    yield server
    server.stop()


@pytest.fixture
async def cluster(server: ApiServer) -> AsyncIterator[Cluster]:
    """As its administrator, with our CRDs."""
    connection = await connect.from_kubeconfig(server.kubeconfig())
    if not server.installed:
        for file in sorted(CRDS.glob("*.yaml")):
            await connection.apply(yaml.safe_load(file.read_text()), manager=MANAGER)

        async def served() -> bool:
            return not [each for each in await connection.list(kinds.CUSTOM_RESOURCE_DEFINITION) if not _served(each)]

        await until(served, "our CRDs are served")
        await rights(connection)
        server.installed = True
    yield connection
    await connection.close()


@pytest.fixture
async def world(server: ApiServer, cluster: Cluster) -> AsyncIterator[ExposureWorld]:
    name = f"exposure-{next(COUNTER)}"
    await cluster.apply(meta.new(kinds.NAMESPACE, name), manager=MANAGER)
    acting = await connect.from_kubeconfig(server.kubeconfig(PROVIDER, "system:authenticated"))
    yield ExposureWorld(cluster, acting, name)
    await acting.close()


@pytest.fixture
async def gateways(world: ExposureWorld) -> ExposureWorld:
    """With Gateway API installed, and a Gateway `edge`."""
    await world.install_gateway_api()
    listener = {"name": "kube-apiserver", "port": 6443, "protocol": "TLS", "tls": {"mode": "Passthrough"}}
    tunnel = {**listener, "name": "konnectivity-server", "port": 8132}
    spec = {"gatewayClassName": "lab", "listeners": [listener, tunnel]}
    await world.cluster.apply(meta.new(kinds.GATEWAY, "edge", world.namespace, spec=spec), manager=MANAGER)
    return world


def _served(crd: Manifest) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def stamped(kind: str, status: str, **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": kind, "status": status, "reason": kind, "message": "", "lastTransitionTime": now, **more}


async def judge(world: ExposureWorld, status: str = "True", name: str = "demo", **more: Any) -> None:
    """What a gateway controller writes into a route."""
    route = await world.get(kinds.TLS_ROUTE, name)
    generation = route["metadata"]["generation"]
    parents = [
        {
            "controllerName": "example.com/gateway",
            "parentRef": each,
            "conditions": [stamped("Accepted", status, observedGeneration=generation, **more)],
        }
        for each in route["spec"]["parentRefs"]
    ]
    await world.say(kinds.TLS_ROUTE, name, {"parents": parents})


async def serve(world: ExposureWorld, status: str = "True") -> None:
    """What it writes into the Gateway."""
    await world.say(kinds.GATEWAY, "edge", {"conditions": [stamped("Programmed", status)]})


def routed(**gateway: Any) -> dict[str, Any]:
    return {"gateway": {"hostname": HOST, "parentRefs": [{"name": "edge"}], **gateway}}


@pytest.mark.keeps("better.taken-back")
async def test_source_ranges_and_external_ips_go_when_they_leave_the_spec(world: ExposureWorld) -> None:
    await world.tenant(controlPlane=BALANCER, networkProfile={"loadBalancerSourceRanges": ["10.0.0.0/8"]})
    await world.passed()
    assert (await world.get(kinds.SERVICE))["spec"]["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    await world.tenant(controlPlane=BALANCER)
    await world.passed()
    assert "loadBalancerSourceRanges" not in (await world.get(kinds.SERVICE))["spec"]
    external = {"address": "192.0.2.9", "allowAddressAsExternalIP": True}
    await world.tenant(networkProfile=external)
    await world.passed()
    assert (await world.get(kinds.SERVICE))["spec"]["externalIPs"] == ["192.0.2.9"]
    assert "192.0.2.9" in await world.certificate_hosts()
    for profile in ({**external, "allowAddressAsExternalIP": False}, {"address": "192.0.2.9"}):
        await world.tenant(networkProfile=profile)
        await world.passed()
        assert "externalIPs" not in (await world.get(kinds.SERVICE))["spec"]


async def test_a_service_goes_through_every_type_and_back(world: ExposureWorld) -> None:
    node = {"address": "192.0.2.9", "port": 31443}
    steps: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"serviceType": "ClusterIP"}, {}),
        ({"serviceType": "NodePort"}, node),
        ({"serviceType": "LoadBalancer"}, {}),
        ({"serviceType": "LoadBalancer", "allocateLoadBalancerNodePorts": False}, {}),
        ({"serviceType": "ClusterIP"}, {}),
    ]
    seen = []
    for service, profile in steps:
        await world.tenant(controlPlane={"service": service}, networkProfile=profile)
        found = await world.passed()
        assert condition(found, "EndpointReady")[1] != "RefusedByManagementCluster", message(found, "EndpointReady")
        spec = (await world.get(kinds.SERVICE))["spec"]
        seen.append((spec["type"], spec["ports"][0].get("nodePort")))
    types, ports = zip(*seen, strict=True)
    assert types == ("ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer", "ClusterIP")
    assert ports[1] == 31443
    assert ports[2] is not None
    assert (ports[0], ports[3], ports[4]) == (None, None, None)


@pytest.mark.keeps("better.moving-addresses")
async def test_balancer_addresses_that_come_late_change_and_are_several_reach_everything(world: ExposureWorld) -> None:
    await world.tenant(controlPlane=BALANCER)
    assert condition(await world.passed(), "EndpointReady") == ("False", "LoadBalancerPending")
    for ingress, told in (
        ([{"ip": "192.0.2.1"}], "192.0.2.1"),
        ([{"ip": "192.0.2.2"}, {"ip": "192.0.2.1"}], "192.0.2.1"),
        ([{"ip": "192.0.2.3"}], "192.0.2.3"),
        ([{"hostname": "lb.example.com"}], "lb.example.com"),
    ):
        await world.say(kinds.SERVICE, "demo", {"loadBalancer": {"ingress": ingress}})
        found = await world.passed()
        assert found["status"]["controlPlaneEndpoint"] == f"{told}:6443"
        given = found["status"]["kubernetesResources"]["service"]["loadBalancer"]["ingress"]
        assert [each.get("ip") or each["hostname"] for each in given] == [next(iter(each.values())) for each in ingress]
        assert await world.server() == f"https://{told}:6443"
        assert {next(iter(each.values())) for each in ingress} <= await world.certificate_hosts()


@pytest.mark.keeps("better.moving-addresses")
async def test_an_ingress_comes_changes_and_goes_with_its_block(world: ExposureWorld) -> None:
    extra = {"annotations": {"nginx.ingress.kubernetes.io/ssl-passthrough": "true"}, "labels": {"team": "a"}}
    block = {"hostname": f"{HOST}:443", "ingressClassName": "nginx", "additionalMetadata": extra}
    await world.tenant(controlPlane={"ingress": block})
    found = await world.passed()
    made = await world.get(kinds.INGRESS)
    assert made["spec"]["rules"][0]["host"] == HOST
    assert found["status"]["kubernetesResources"]["ingress"] == {"name": "demo", "namespace": world.namespace}
    assert condition(found, "ExposureReady") == ("True", "ExposureReady")
    assert await world.server() == f"https://{HOST}:443"
    assert HOST in await world.certificate_hosts()
    await world.say(kinds.INGRESS, "demo", {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}})
    await world.tenant(controlPlane={"ingress": {"hostname": "new.example.com"}})
    found = await world.passed()
    made = await world.get(kinds.INGRESS)
    assert "ingressClassName" not in made["spec"]
    assert "team" not in made["metadata"]["labels"]
    assert not made["metadata"].get("annotations")
    told = found["status"]["kubernetesResources"]["ingress"]["loadBalancer"]
    assert told == {"ingress": [{"ip": "192.0.2.7"}]}
    assert await world.server() == "https://new.example.com:6443"
    assert HOST not in await world.certificate_hosts()
    await world.tenant()
    found = await world.passed()
    assert await world.find(kinds.INGRESS) is None
    assert "ingress" not in found["status"]["kubernetesResources"]
    assert "new.example.com" not in await world.certificate_hosts()


async def test_what_only_looks_like_ours_is_left_alone(world: ExposureWorld) -> None:
    await world.tenant(controlPlane={"ingress": {"hostname": HOST}})
    await world.passed()
    copy = await world.get(kinds.INGRESS)
    labels = meta.labels_of(copy)
    await world.cluster.apply(
        meta.new(kinds.INGRESS, "mine", world.namespace, labels=labels, spec=copy["spec"]), manager=MANAGER
    )
    await world.tenant()
    await world.passed()
    assert await world.find(kinds.INGRESS) is None
    assert await world.find(kinds.INGRESS, "mine") is not None


@pytest.mark.keeps("rules.gateway", "better.late-gateway-api")
async def test_gateway_api_may_come_and_go_while_we_run(world: ExposureWorld) -> None:
    await world.remove_gateway_api()
    told: list[tuple[Kind, Manifest | None]] = []
    index = Routed()
    watch = asyncio.create_task(GatewayWatch(world.acting, lambda kind, each: told.append((kind, each))).run())
    try:
        await world.tenant(controlPlane=routed())
        index.tenant_moved((world.namespace, "demo"), (await world.get(kinds.TENANT_CONTROL_PLANE))["spec"], gone=False)
        found = await world.passed()
        assert condition(found, "ExposureReady") == ("False", "GatewayAPIMissing")
        assert "install Gateway API v1.5" in message(found, "ExposureReady")
        assert HOST in await world.certificate_hosts()
        assert told == []

        await world.install_gateway_api()
        for kind in (kinds.TLS_ROUTE, kinds.GATEWAY):
            await until(lambda kind=kind: _any(told, kind, None), f"{kind.kind} is followed")
            assert index.concerned(kind, None) == [(world.namespace, "demo")]
        found = await world.passed()
        assert condition(found, "ExposureReady") == ("Unknown", "RouteNotJudged")
        route = await world.get(kinds.TLS_ROUTE)
        await until(lambda: _any(told, kinds.TLS_ROUTE, "demo"), "our route is seen")
        assert index.concerned(kinds.TLS_ROUTE, route) == [(world.namespace, "demo")]

        told.clear()
        await world.remove_gateway_api()
        await until(lambda: _any(told, kinds.TLS_ROUTE, None), "the kind's end is told")
        found = await world.passed()
        assert condition(found, "ExposureReady") == ("False", "GatewayAPIMissing")
        assert "gateway" not in found["status"]["kubernetesResources"]

        told.clear()
        await world.install_gateway_api()
        await until(lambda: _any(told, kinds.TLS_ROUTE, None), "it is followed again")
        await world.passed()
        assert await world.find(kinds.TLS_ROUTE) is not None
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _any(told: list[tuple[Kind, Manifest | None]], kind: Kind, name: str | None) -> bool:
    return any(each is kind and (what["metadata"]["name"] if what else None) == name for each, what in told)


async def test_an_older_gateway_api_without_the_version_we_use_is_as_none(world: ExposureWorld) -> None:
    await world.remove_gateway_api()
    for crd in gateway_crds():
        elder = {**crd, "spec": {**crd["spec"], "versions": [dict(each) for each in crd["spec"]["versions"]]}}
        for version in elder["spec"]["versions"]:
            version["served"] = version["name"] != "v1"
        await world.cluster.apply(elder, manager=MANAGER)
    told: list[Kind] = []
    watch = asyncio.create_task(GatewayWatch(world.acting, lambda kind, each: told.append(kind)).run())
    try:
        await world.tenant(controlPlane=routed())
        assert condition(await world.passed(), "ExposureReady") == ("False", "GatewayAPIMissing")
        await world.install_gateway_api()

        async def followed() -> bool:
            return kinds.TLS_ROUTE in told

        await until(followed, "the version that came is followed")
        assert condition(await world.passed(), "ExposureReady") == ("Unknown", "RouteNotJudged")
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


@pytest.mark.keeps("better.late-gateway-api")
async def test_a_route_is_judged_by_its_gateway_and_told_in_status(gateways: ExposureWorld) -> None:
    world = gateways
    await world.tenant(controlPlane=routed(additionalMetadata={"labels": {"team": "a"}, "annotations": {"note": "b"}}))
    found = await world.passed()
    assert condition(found, "ExposureReady") == ("Unknown", "RouteNotJudged")
    assert found["status"]["kubernetesResources"]["gateway"]["parents"] == []
    route = await world.get(kinds.TLS_ROUTE)
    assert meta.labels_of(route)["team"] == "a"
    assert meta.annotations_of(route)["note"] == "b"

    await judge(world, "False", message="no such listener")
    found = await world.passed()
    assert condition(found, "ExposureReady") == ("False", "RouteRefused")
    assert "no such listener" in message(found, "ExposureReady")

    await judge(world)
    assert condition(await world.passed(), "ExposureReady") == ("False", "GatewayNotProgrammed")
    await serve(world)
    found = await world.passed()
    assert condition(found, "ExposureReady") == ("True", "ExposureReady")
    block = found["status"]["kubernetesResources"]["gateway"]
    assert block["routeRef"] == {"name": "demo"}
    assert block["accessPoints"] == [{"type": "Hostname", "value": f"https://{HOST}:6443", "port": 6443}]
    assert [each["controllerName"] for each in block["parents"]] == ["example.com/gateway"]
    index = Routed()
    index.tenant_moved((world.namespace, "demo"), found["spec"], gone=False)
    assert index.concerned(kinds.GATEWAY, await world.get(kinds.GATEWAY, "edge")) == [(world.namespace, "demo")]


async def test_a_route_goes_with_its_block(gateways: ExposureWorld) -> None:
    world = gateways
    await world.tenant(controlPlane=routed())
    await world.passed()
    await world.tenant()
    found = await world.passed()
    assert await world.find(kinds.TLS_ROUTE) is None
    assert "gateway" not in found["status"]["kubernetesResources"]
    assert await world.server() == f"https://{found['status']['controlPlaneEndpoint']}"


async def test_parents_that_gateway_api_refuses_are_told_in_its_words(gateways: ExposureWorld) -> None:
    await gateways.tenant(controlPlane=routed(parentRefs=[{"name": "edge"}, {"name": "edge"}]))
    found = await gateways.passed()
    assert condition(found, "ExposureReady") == ("False", "RefusedByManagementCluster")
    assert "sectionName must be" in message(found, "ExposureReady")


async def test_a_pass_after_a_restart_writes_nothing(gateways: ExposureWorld) -> None:
    world = gateways
    portless = {"service": {"serviceType": "LoadBalancer", "allocateLoadBalancerNodePorts": False}}
    for plane in (routed(), {"ingress": {"hostname": HOST, "ingressClassName": "nginx"}}, BALANCER, portless):
        await world.tenant(controlPlane=plane)
        await world.passed()
        if "service" in plane:
            await world.say(kinds.SERVICE, "demo", {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
        elif "gateway" in plane:
            await judge(world)
            await serve(world)
        await world.passed()
        before = await world.versions(*MADE, kinds.TLS_ROUTE, kinds.TENANT_CONTROL_PLANE)
        await world.passed()
        assert await world.versions(*MADE, kinds.TLS_ROUTE, kinds.TENANT_CONTROL_PLANE) == before


async def test_what_we_say_of_routes_is_what_stands_so_that_nothing_is_even_sent(gateways: ExposureWorld) -> None:
    """Fields that the API server fills in are said by us, so that a new process can tell that nothing differs."""
    world = gateways
    await world.tenant(controlPlane=routed())
    await world.passed()
    sent: list[str] = []
    apply = world.acting.apply

    async def counted(manifest: Manifest, **options: Any) -> Manifest:
        sent.append(manifest["kind"])
        return await apply(manifest, **options)

    world.acting.apply = counted  # type: ignore[method-assign]
    await world.passed()
    await world.tenant(controlPlane={"ingress": {"hostname": HOST}})
    sent.clear()
    await world.passed()
    assert kinds.TLS_ROUTE.kind not in sent
    sent.clear()
    await world.passed()
    assert sent == []


REFUSED = {
    "both at once": ({"ingress": {"hostname": HOST}, **routed()}, "ingress and gateway exclude each other"),
    "an ingress without a name": ({"ingress": {}}, "ingress.hostname is missing"),
    "a gateway without a name": ({"gateway": {"parentRefs": [{"name": "edge"}]}}, "gateway.hostname is missing"),
    "an ingress by address": ({"ingress": {"hostname": "192.0.2.7:443"}}, "must be a DNS name"),
    "an ingress with a port that is none": ({"ingress": {"hostname": f"{HOST}:70000"}}, "must be a DNS name"),
    "a gateway by address": (routed(hostname="192.0.2.7"), "must be a DNS name"),
    "a gateway with a port": (routed(hostname=f"{HOST}:443"), "spec.controlPlane.gateway.hostname"),
}


@pytest.mark.keeps("rules.exposure")
@pytest.mark.parametrize(("plane", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_can_be_known_at_once_is_refused_at_once(
    world: ExposureWorld, plane: dict[str, Any], words: str
) -> None:
    spec = {
        "kubernetes": {"version": "v1.36.3", "kubelet": {}},
        "controlPlane": {"service": SERVICE, **plane},
    }
    manifest = meta.new(kinds.TENANT_CONTROL_PLANE, "demo", world.namespace, spec=spec)
    with pytest.raises(Exception, match=words.replace(".", r"\.")):
        await world.cluster.apply(manifest, manager=MANAGER, dry_run=True)


async def test_konnectivitys_route_fits_gateway_api(gateways: ExposureWorld) -> None:
    """A server-side dry run: the addon itself is another matter."""
    parents = [{"name": "edge", "sectionName": each} for each in ("one", "two")]
    raw = golden.tenant(
        metadata={"namespace": gateways.namespace},
        controlPlane=routed(parentRefs=parents),
        addons={"konnectivity": {}},
    )
    made = list(gateway.build(replace(golden.view(raw), gateways=Seen())))
    assert [each["metadata"]["name"] for each in made] == ["demo", names.konnectivity_route("demo")]
    for each in made:
        answer = await gateways.cluster.apply(each, manager=MANAGER, dry_run=True)
        assert answer["spec"] == each["spec"], "what the API server fills in is said by us"


@pytest.mark.parametrize(
    "network",
    [
        {"ingress": {"hostname": HOST, "className": "nginx", "extraLabels": {"a": "b"}}},
        {"ingress": {"hostname": f"{HOST}:8443"}, "certSANs": [HOST]},
        {"gateway": {"name": "edge", "namespace": "gateways", "hostname": HOST, "sectionName": "kube-apiserver"}},
        {
            "gateway": {
                "name": "edge",
                "namespace": "gateways",
                "hostname": f"{HOST}:443",
                "extraAnnotations": {"a": "b"},
            }
        },
    ],
)
async def test_what_a_kamaji_control_plane_asks_for_is_taken(world: ExposureWorld, network: dict[str, Any]) -> None:
    spec = {"version": "v1.36.3", "network": {"serviceType": "ClusterIP", **network}}
    asked = meta.new(kinds.KAMAJI_CONTROL_PLANE, "demo", world.namespace, spec=spec)
    raw = await world.cluster.apply(asked, manager=MANAGER, dry_run=True)
    view = View(
        kcp=KamajiControlPlane.parse(raw),
        raw=raw,
        cluster=ClusterObject.parse({"metadata": {"name": "demo"}}),
        place=Place(namespace=world.namespace, name="demo"),
        now=datetime.now(UTC),
    )
    taken = await world.cluster.apply(tenantcontrolplane.build(view), manager=MANAGER, dry_run=True)
    host, port = TenantControlPlane.parse(taken).published or ("", 0)
    assert (host, port in (443, 6443, 8443)) == (HOST, True)
    assert taken["spec"]["networkProfile"]["certSANs"] == [HOST]
