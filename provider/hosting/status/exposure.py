"""Whether the routes that a tenant asked for lead to it: what gateway controllers say of its TLSRoutes. Pure; used by `tenant`.

An Ingress is judged by being there: many controllers say nothing of one that passes TLS through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider.api import kinds, names
from provider.hosting import endpoint
from provider.hosting.desired import gateway
from provider.hosting.view import View
from provider.manifest import Manifest
from provider.manifest.condition import Condition, Truth, find

TYPE = "ExposureReady"
NOT_JUDGED = "RouteNotJudged"
"""Reason of an Unknown that holds nothing up: no controller spoke yet. Upstream calls such a tenant ready, too."""
SAID = 512  # characters of a controller's message that are repeated


def judged(view: View, applied: Condition) -> Condition:
    """The condition once routes are applied: False when one is refused or leads nowhere, Unknown while nobody spoke."""
    if applied.status != "True" or view.tcp.spec.control_plane.gateway is None:
        return applied
    found = [_of(view, route) for route in _routes(view)]
    worst = [each for each in found if each.status == "False"] or [each for each in found if each.status == "Unknown"]
    return (worst or found or [applied])[0]


def _routes(view: View) -> list[Manifest]:
    """The tenant's own and, with konnectivity, the tunnel's."""
    wanted = [view.name, *([names.konnectivity_route(view.name)] if view.tcp.spec.addons.konnectivity else [])]
    found = (view.seen.get(kinds.TLS_ROUTE, each, view.namespace) for each in wanted)
    return [each for each in found if each is not None]


def _of(view: View, route: Manifest) -> Condition:
    name = f"TLSRoute {view.namespace}/{route['metadata']['name']}"
    spoke, taken = gateway.judged(route), gateway.accepted(route)
    refused = [each for each in spoke if each not in taken]
    if not spoke:
        message = (
            f"no gateway controller has said anything of {name} yet: see that the Gateway it names exists, and that a"
            " controller for its class runs which takes TLSRoutes"
        )
        return _condition("Unknown", NOT_JUDGED, message)
    if not taken:
        return _condition("False", "RouteRefused", f"{name} is not taken. {_words(refused, route)}")
    if all(_is_gateway(each) and gateway.programmed(view, route, each) is None for each in taken):
        message = (
            f"{name} is taken, but no Gateway of it serves yet ({_names(taken, route)}): see their condition Programmed"
        )
        return _condition("False", "GatewayNotProgrammed", message)
    notes = [f"{name} is not taken by every parent. {_words(refused, route)}"] if refused else []
    return _condition("True", TYPE, " ".join([*notes, *_port_note(view, route)]))


def _port_note(view: View, route: Manifest) -> list[str]:
    """What clients dial and where listeners are may be joined outside of our sight, so this is a word and no verdict."""
    points = gateway.access_points(view, route)
    if route["metadata"]["name"] != view.name or not points or view.tcp.published is None:
        return []
    dialled = endpoint.internal(view)
    if dialled.host not in route["spec"]["hostnames"] or any(each["port"] == dialled.port for each in points):
        return []
    return [
        f"Listeners are at {', '.join(each['value'] for each in points)}, kubeconfigs say {dialled.url}: set the port of"
        " spec.controlPlane.gateway.parentRefs to the listener's, unless something in between joins them."
    ]


def _words(parents: Sequence[Mapping[str, Any]], route: Manifest) -> str:
    """What each controller said, in its own words."""
    said = []
    for each in parents:
        verdict = find(each.get("conditions"), "Accepted") or {}
        said.append(f"{_name(each, route)}: {verdict.get('reason')}: {str(verdict.get('message'))[:SAID]}")
    return "; ".join(said)


def _names(parents: Sequence[Mapping[str, Any]], route: Manifest) -> str:
    return ", ".join(_name(each, route) for each in parents)


def _name(parent: Mapping[str, Any], route: Manifest) -> str:
    reference = parent["parentRef"]
    where = f"{reference.get('namespace') or route['metadata']['namespace']}/{reference['name']}"
    section = f" listener {reference['sectionName']}" if reference.get("sectionName") else ""
    return f"{reference.get('kind', 'Gateway')} {where}{section}"


def _is_gateway(parent: Mapping[str, Any]) -> bool:
    """Of other parents we cannot tell whether they serve."""
    return bool(parent["parentRef"].get("kind", "Gateway") == "Gateway")


def _condition(status: Truth, reason: str, message: str) -> Condition:
    return Condition(type=TYPE, status=status, reason=reason, message=message)
