"""What a view shows of a move: which pods use which store, and whether those of the home serve. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from provider.api import names
from provider.hosting.storeview import overridden
from provider.hosting.view import View
from provider.manifest import Manifest, meta, podstatus

SERVER = "kube-apiserver"
FLAG = "--etcd-servers="
OVERRIDES = "--etcd-servers-overrides="
DEAD = timedelta(seconds=60)  # after its time to end, a pod that is still listed is one on a node that does not answer


@dataclass(frozen=True, kw_only=True)
class Change:
    """Overrides that the spec wants in another store."""

    source: str
    target: str
    resources: tuple[str, ...]


def strangers(view: View, gone: Container[str] = ()) -> list[str]:
    """Names of the Deployment and the pods whose API server uses another store than the home; `gone`: of pods that do not."""
    found = [each["metadata"]["name"] for each in _strange_pods(view)]
    deployment = view.deployment
    template = deployment["spec"]["template"]["spec"] if deployment else {}
    return [each for each in found if each not in gone] + (
        [f"Deployment {view.name}"] if strange(view, template) else []
    )


def leaving(view: View) -> dict[str, str]:
    """Pods that use another store than the home, run and are told to end: the address of each, by its name."""
    ending = [each for each in _strange_pods(view) if each["metadata"].get("deletionTimestamp") and _runs(each)]
    found = {each["metadata"]["name"]: (each.get("status") or {}).get("podIP") for each in ending}
    return {name: str(address) for name, address in found.items() if address}


def served(view: View) -> bool:
    """Whether a pod that uses the home is ready."""
    return any(podstatus.is_ready(each) and not strange(view, each["spec"]) for each in view.pods)


def rolled_out(view: View) -> bool:
    """Whether all pods are what the Deployment asks for; also of a tenant that sleeps."""
    deployment = view.deployment
    if deployment is None:
        return False
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 0)
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return False
    return all((status.get(each) or 0) == wanted for each in ("replicas", "updatedReplicas", "readyReplicas"))


def left(view: View, store: str) -> bool:
    """Whether a store may hold something of the tenant: its finalizer is there (decision 0009)."""
    return store in overridden(view.raw)


def home(view: View) -> str:
    """The DataStore in which the tenant's state is recorded to live; empty before that."""
    return str((view.status.get("storage") or {}).get("dataStoreName") or "")


def moved(view: View) -> View:
    """The view in which the home is that of what moves, where that is some resources only."""
    move = view.move
    if move is None or not move.resources:
        return view
    return replace(view, store=next((each.store for each in view.overrides if each.resource in move.resources), None))


def changed(view: View) -> Change | None:
    """The first override whose resource lies elsewhere than the spec says, with all that lies there; None when none does."""
    asked = {each.resource: each.data_store for each in view.tcp.spec.data_store_overrides}
    for each in view.overrides:
        if each.data_store != (target := asked.get(each.resource, each.data_store)):
            there = tuple(one.resource for one in view.overrides if one.data_store == each.data_store)
            return Change(source=each.data_store, target=target, resources=there)
    return None


def wanted(view: View) -> str:
    """The DataStore that the spec asks for; where it names none, the one to which a pool moves it, or that it has."""
    if view.move is not None and view.move.resources:
        said = {each.resource: each.data_store for each in view.tcp.spec.data_store_overrides}
        return said.get(view.move.resources[0], view.move.source)
    asked = meta.annotations_of(view.raw).get(names.ANNOTATION_MOVE_TO) if home(view) else None
    return view.tcp.spec.data_store or asked or home(view) or view.settings.default_datastore


def asked_by(view: View) -> str:
    """What of the object says so, as it is called in messages."""
    moved = not view.tcp.spec.data_store and names.ANNOTATION_MOVE_TO in meta.annotations_of(view.raw)
    return f"annotation {names.ANNOTATION_MOVE_TO}" if moved else "spec.dataStore"


def strange(view: View, pod: Manifest) -> bool:
    """Whether what a pod is made of uses another store than the home."""
    said = list(_servers(pod, view.move.resources if view.move else ()))
    home = {f"https://{each}" for each in view.store.endpoints} if view.store else set()
    return any(set(each.split(",")) != home for each in said)


def _strange_pods(view: View) -> list[Manifest]:
    there = [each for each in view.pods if not (_dead(each, view.now) or _has_ended(each))]
    return [each for each in there if strange(view, each["spec"])]


def _servers(pod: Manifest, resources: tuple[str, ...]) -> Iterator[str]:
    """URLs, with commas: of the main store, or of those of some resources."""
    for each in pod.get("containers") or ():
        for argument in [*(each.get("command") or ()), *(each.get("args") or ())]:
            if argument.startswith(FLAG) and not resources:
                yield argument.removeprefix(FLAG)
            if argument.startswith(OVERRIDES) and resources:
                said = [one.partition("#") for one in argument.removeprefix(OVERRIDES).split(",")]
                yield from (urls.replace(";", ",") for resource, _, urls in said if resource in resources)


def _runs(pod: Manifest) -> bool:
    """Whether its API server does; one that is down may be about to be started once more."""
    said = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(each["name"] == SERVER and (each.get("state") or {}).get("running") is not None for each in said)


def _has_ended(pod: Manifest) -> bool:
    """Whether its API server has, and will not come back: the rest of an ending pod answers nobody, and takes a second more."""
    said = (pod.get("status") or {}).get("containerStatuses") or ()
    over = any(each["name"] == SERVER and (each.get("state") or {}).get("terminated") for each in said)
    return over and bool(pod["metadata"].get("deletionTimestamp"))


def _dead(pod: Manifest, now: datetime) -> bool:
    ending = pod["metadata"].get("deletionTimestamp")
    return bool(ending) and now - datetime.fromisoformat(ending) > DEAD
