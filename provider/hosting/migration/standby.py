"""Pods of the store to go to, which stand by: up before the freeze, so that it is shorter than a kube-apiserver takes to start.

They come as a Deployment's new pods do, and wait at a readiness gate: nothing is sent to them and no other pod ends for them.
What they read is a copy that is being made, so the gate is opened only when that is the tenant's home (`open_to`). Once the
tenant has moved, the Deployment asks for pods without a gate, which take their place as in any rollout. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from provider.api import names
from provider.api.credentials import tenants
from provider.hosting.migration import Phase, sight
from provider.hosting.view import Store, View
from provider.manifest import Manifest, podstatus
from provider.manifest.x509 import Pair

CA, CERTIFICATE, KEY = "standby-ca.crt", "standby.crt", "standby.key"
FILES = {CA: "ca.crt", CERTIFICATE: "server.crt", KEY: "server.key"}
"""Keys of the Secret with the way into the home by which such pods find that into theirs, and what they are to be called."""
ASKED = frozenset({Phase.STANDING_BY, Phase.FROZEN, Phase.SWITCHING})


def asked(view: View) -> bool:
    """Whether the Deployment makes such pods."""
    return view.move is not None and view.move.standby > 0 and view.move.phase in ASKED


def enters_otherwise(view: View) -> bool:
    """Whether they have a way of their own into their store. Overrides lie where the tenant's certificate is good as well."""
    return asked(view) and view.move is not None and not view.move.resources


def of_pods(view: View) -> View:
    """The view by which pods are made: they may use another store than the tenant's home."""
    move, other = view.move, view.other
    if move is None or other is None or not asked(view) or move.phase == Phase.SWITCHING:
        return view
    if not move.resources:
        return replace(view, store=other)
    return replace(
        view,
        overrides=tuple(
            replace(each, data_store=other.name, store=other) if each.resource in move.resources else each
            for each in view.overrides
        ),
    )


def store(view: View) -> Store | None:
    """The store whose pods stand by with a way in of their own, or may soon; None when none will."""
    if (
        view.move is None
        or view.move.resources
        or not (asked(view) or (view.move.phase == Phase.COPYING and possible(view)))
    ):
        return None
    return view.store if view.move.phase == Phase.SWITCHING else view.other


def possible(view: View) -> bool:
    """Whether new pods can come up beside those that serve: there are some, and the Deployment's strategy lets them."""
    deployment = view.deployment
    if deployment is None or view.kept or not sight.served(sight.moved(view)):
        return False
    wanted, strategy = deployment["spec"].get("replicas", 0), deployment["spec"].get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    surge, away = (_pods(rolling.get(each), wanted) for each in ("maxSurge", "maxUnavailable"))
    return strategy.get("type") == "RollingUpdate" and 0 < wanted <= surge and away == 0


def up(view: View) -> bool:
    """Whether all that the Deployment wants of them stand by."""
    deployment = view.deployment
    if deployment is None or not _gated(deployment["spec"]["template"]["spec"]):
        return False
    wanted, status = deployment["spec"].get("replicas", 0), deployment.get("status") or {}
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    ready = [each for each in _waiting(view) if podstatus.runs(each)]
    return bool(seen and status.get("updatedReplicas", 0) == wanted <= len(ready))


def open_to(view: View) -> list[Manifest]:
    """Those whose gate is to be opened: they use the home, and show nothing that a client has seen before."""
    move, view = view.move, sight.moved(view)
    if view.store is None or (move is not None and move.phase == Phase.SWITCHING and not move.standby):
        return []
    return [each for each in _waiting(view) if not sight.strange(view, each["spec"])]


def has_come(view: View) -> bool:
    """Whether the home is where pods of the last move stood by for, if any did."""
    return view.move is None or view.move.phase in (Phase.SWITCHING, Phase.MOVED)


def material(view: View) -> tuple[bytes, Pair] | None:
    """How pods that stand by know their store, and what they show to it; None when no such thing was made."""
    data = view.secret(tenants.STORE_CLIENT.secret(view.name))
    if not all(each in data for each in FILES):
        return None
    return data[CA], Pair(certificate=data[CERTIFICATE], key=data[KEY])


def mounted(view: View) -> bool:
    """Whether a pod has that, or may get it by the Deployment as it stands."""
    template = view.deployment["spec"]["template"]["spec"] if view.deployment else {}
    return any(
        key == CERTIFICATE for pod in [template, *(each.get("spec") or {} for each in view.pods)] for key in _keys(pod)
    )


def without(data: dict[str, bytes]) -> dict[str, bytes]:
    """What of the Secret is the way into the home."""
    return {key: value for key, value in data.items() if key not in FILES}


def renamed(data: dict[str, bytes]) -> dict[str, bytes]:
    """What of it pods that stand by have, as it is called once their store is the home."""
    return {name: data[key] for key, name in FILES.items() if key in data}


def _waiting(view: View) -> Iterator[Manifest]:
    yield from (each for each in view.pods if podstatus.is_shut(each, names.GATE_AT_HOME))


def _gated(pod: Manifest) -> bool:
    return any(each.get("conditionType") == names.GATE_AT_HOME for each in pod.get("readinessGates") or ())


def _keys(pod: Manifest) -> Iterator[str]:
    for volume in pod.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from (each["key"] for each in (source.get("secret") or {}).get("items") or ())


def _pods(said: Any, wanted: int) -> int:
    """A number or a percentage of pods; of a percentage no fewer than it means."""
    if isinstance(said, str) and said.endswith("%"):
        return math.ceil(int(said[:-1]) * wanted / 100)
    return int(said or 0)
