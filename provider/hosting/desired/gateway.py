"""TLSRoutes (Gateway API) that lead to a tenant's API server and konnectivity server by host name, and what Gateways give.

TLS is passed through: the route tells tenants apart by the name that clients ask for. The kinds are a management cluster's
choice (`view.gateways` is None where they are not served); a gateway controller is, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provider.api import kinds, names
from provider.api.exposure import Gateway, ParentReference
from provider.api.verdict import Invalid, NotReady
from provider.hosting.view import View
from provider.manifest import Manifest, meta
from provider.manifest.condition import find, holds

NAME = "gateway"

KONNECTIVITY = "konnectivity-server"
"""The listener of each named Gateway that is the tunnel's, by upstream's convention."""
PARENTS = 32  # of a route's status, as Gateway API limits them


def build(view: View) -> Iterator[Manifest]:
    """One TLSRoute, called like the tenant, and with konnectivity one more. Nothing while `controlPlane.gateway` is absent.

    NotReady while Gateway API is not installed; Invalid without a host name or a Gateway to hang on.
    """
    if (wanted := view.tcp.spec.control_plane.gateway) is None:
        return
    _demand(view, wanted)
    parents = [_parent(each) for each in wanted.parent_refs]
    yield _route(view, wanted, view.name, "gateway_routes", parents, view.tcp.network.port)
    if (konnectivity := view.tcp.spec.addons.konnectivity) is not None:
        port = konnectivity.server.port
        tunnels = _distinct({**each, "port": port, "sectionName": KONNECTIVITY} for each in parents)
        name = names.konnectivity_route(view.name)
        yield _route(view, wanted, name, "konnectivity_gateway_routes", tunnels, port)


def report(view: View) -> dict[str, Any]:
    """`kubernetesResources.gateway` and `addons.konnectivity.gateway`; taken away with what they tell of."""
    block = _block(view, view.name) if view.tcp.spec.control_plane.gateway else None
    said: dict[str, Any] = {"kubernetesResources": {NAME: block}}
    # The part that tells of konnectivity says `enabled`, without which its block cannot be written.
    if "enabled" in ((view.status.get("addons") or {}).get("konnectivity") or {}):
        on = view.tcp.spec.control_plane.gateway and view.tcp.spec.addons.konnectivity
        tunnel = _block(view, names.konnectivity_route(view.name)) if on else None
        said["addons"] = {"konnectivity": {NAME: tunnel}}
    return said


def accepted(route: Manifest) -> list[Mapping[str, Any]]:
    """Parents whose controller took the route, as it is now, in the order of its status."""
    return [each for each in judged(route) if holds(each.get("conditions"), "Accepted")]


def judged(route: Manifest) -> list[Mapping[str, Any]]:
    """Parents of which a controller said something about the route as it is now. Never more than it names."""
    wanted = [_identity(each, route) for each in route["spec"].get("parentRefs") or ()]
    generation = route["metadata"].get("generation", 0)
    found = []
    for each in (route.get("status") or {}).get("parents") or ():
        said = find(each.get("conditions"), "Accepted") or {}
        current = said.get("observedGeneration", generation) >= generation
        if said.get("status") in ("True", "False") and current and _identity(each["parentRef"], route) in wanted:
            found.append(each)
    return found


def programmed(view: View, route: Manifest, parent: Mapping[str, Any]) -> Manifest | None:
    """The Gateway of an accepted parent, when it serves; None for another kind of parent, or when it does not."""
    reference = ParentReference.parse(dict(parent["parentRef"]))
    namespace = reference.namespace or route["metadata"]["namespace"]
    gateway = view.gateways.get(kinds.GATEWAY, reference.name, namespace) if view.gateways else None
    if gateway is None or not reference.is_gateway:
        return None
    return gateway if holds((gateway.get("status") or {}).get("conditions"), "Programmed") else None


def access_points(view: View, route: Manifest) -> list[dict[str, Any]]:
    """Where clients reach the route: each TLS listener of each Gateway that took it and serves."""
    ports: dict[int, None] = {}
    for parent in accepted(route):
        for listener in (programmed(view, route, parent) or {"spec": {}})["spec"].get("listeners") or ():
            if _leads(listener, parent["parentRef"], route):
                ports[listener["port"]] = None
    (host,) = route["spec"]["hostnames"]
    return [{"type": "Hostname", "value": f"https://{host}:{port}", "port": port} for port in ports]


def _demand(view: View, wanted: Gateway) -> None:
    if not wanted.host:
        said = f"{wanted.hostname!r} is no DNS name" if wanted.hostname else "is missing"
        raise Invalid(
            "HostnameInvalid",
            f"spec.controlPlane.gateway.hostname {said}: write the name under which clients reach the API server, such as"
            " demo.example.com",
        )
    if not wanted.parent_refs:
        raise Invalid(
            "ParentRefsMissing",
            "spec.controlPlane.gateway.parentRefs is empty: name the Gateway that the route shall hang on",
        )
    if view.gateways is None:
        raise NotReady(
            "GatewayAPIMissing",
            f"this cluster serves no TLSRoute of {kinds.TLS_ROUTE.api_version}, which spec.controlPlane.gateway needs: install"
            " Gateway API v1.5 or later (its standard channel has it) and a gateway controller that passes TLS through;"
            " or remove spec.controlPlane.gateway",
        )


def _route(view: View, wanted: Gateway, name: str, component: str, parents: list[Manifest], port: int) -> Manifest:
    extra = wanted.additional_metadata
    # What the API server would fill in is written out, so that what stands can be told from what is wanted.
    backend = {"group": "", "kind": "Service", "name": view.name, "port": port, "weight": 1}
    manifest = meta.new(
        kinds.TLS_ROUTE,
        name,
        view.namespace,
        labels={**extra.labels, **names.tenant_labels(view.name, component)},
        annotations=extra.annotations,
        spec={"hostnames": [wanted.host], "parentRefs": parents, "rules": [{"backendRefs": [backend]}]},
    )
    return meta.owned(manifest, view.raw)


def _parent(reference: ParentReference) -> Manifest:
    """As the user wrote it, with the group and kind that are its defaults."""
    return {"group": reference.group, "kind": reference.kind, **reference.manifest()}


def _distinct(parents: Iterator[Manifest]) -> list[Manifest]:
    """Two listeners of one Gateway are one parent once both name the tunnel's listener."""
    found: list[Manifest] = []
    for each in parents:
        if each not in found:
            found.append(each)
    return found


def _block(view: View, name: str) -> dict[str, Any] | None:
    route = view.seen.get(kinds.TLS_ROUTE, name, view.namespace)
    if route is None:
        return None
    parents = list((route.get("status") or {}).get("parents") or ())[:PARENTS]
    return {"routeRef": {"name": name}, "parents": parents, "accessPoints": access_points(view, route)}


def _identity(reference: Mapping[str, Any], route: Manifest) -> tuple[Any, ...]:
    """What tells one parent from another, with what an absent field means."""
    read = ParentReference.parse(dict(reference))
    namespace = read.namespace or route["metadata"]["namespace"]
    return read.group, read.kind, namespace, read.name, read.section_name, read.port


def _leads(listener: Mapping[str, Any], parent: Mapping[str, Any], route: Manifest) -> bool:
    """Whether the route hangs on this listener: by name and port where the parent says them, and by host name."""
    section, port = parent.get("sectionName"), parent.get("port")
    named = listener["name"] == section if section else listener["name"] != KONNECTIVITY
    right = named and port in (None, listener["port"]) and listener.get("protocol") == "TLS"
    return right and any(_meet(str(listener.get("hostname") or ""), each) for each in route["spec"]["hostnames"])


def _meet(one: str, other: str) -> bool:
    """Whether two host names, each perhaps a wildcard, have a name in common (Gateway API's rule). Empty means any."""
    if not one or one == other:
        return True
    if one.startswith("*.") and other.startswith("*."):
        return one.endswith(other[1:]) or other.endswith(one[1:])
    wide, narrow = (one, other) if one.startswith("*.") else (other, one)
    return wide.startswith("*.") and narrow.endswith(wide[1:])
