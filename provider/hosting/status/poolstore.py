"""What there is to say of one store of a pool: volumes, members, auth, and the DataStore that offers it.

`Durable` is beside the others: a store on the disk of one node works, and says every day that it should not hold much.
"""

from __future__ import annotations

from dataclasses import dataclass

from provider.api import kinds, names, poolnames
from provider.api.verdict import Verdict
from provider.hosting.desired.pool import repair, roster, snapshot, volume
from provider.hosting.desired.pool.repair import Step
from provider.hosting.status import snapshots
from provider.hosting.storeview import CONDITION_READY, PoolView, Trial
from provider.manifest import meta, podstatus
from provider.manifest.condition import Condition, Truth, find

ORDER = ("Accepted", "StorageReady", "MembersReady", "AuthEnabled")
"""Conditions in the order in which a store is born: the first that is not True is why it is not ready."""


STEPS = {
    "promote": "MemberJoining",
    "replace": "MemberReplaced",
    "add": "Growing",
    "restart": "RollingRestart",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a pass came to: the part that declined and why, and what etcd said to us (None while no member serves)."""

    part: str = ""
    declined: Verdict | None = None
    trial: Trial | None = None
    step: Step | None = None  # what was done about its members
    size: int | None = None  # bytes of its database; None: it did not tell
    unscheduled: Verdict | None = None  # why its snapshots are not scheduled as asked


def conditions(view: PoolView, outcome: Outcome) -> list[Condition]:
    """All of them, `Ready` last."""
    born = [_accepted(outcome), _storage(view, outcome), _members(view, outcome), _auth(outcome)]
    snapshots_taken = snapshots.conditions(view, outcome.unscheduled)
    return [*born, _durable(view), _updated(view), *snapshots_taken, _ready(view, born)]


def serving(view: PoolView) -> bool:
    """Whether a member is ready, which is none that does not reach a quorum (etcd's /readyz reads by one)."""
    live = view.seen.get(kinds.STATEFUL_SET, poolnames.etcd(view.name), view.namespace)
    return bool(((live or {}).get("status") or {}).get("readyReplicas", 0))


def moving(view: PoolView, outcome: Outcome) -> bool:
    """Whether something is about to happen to its members that no event will tell of."""
    found = roster.of(view)
    return bool(outcome.step or found.joining or found.retired or found.founding) or any(
        each.learner for each in view.membership or ()
    )


def _accepted(outcome: Outcome) -> Condition:
    if outcome.declined is not None and outcome.part != "volume":
        return _condition("Accepted", "False", outcome.declined.reason, outcome.declined.message)
    return _condition("Accepted", "True", "Accepted")


def _storage(view: PoolView, outcome: Outcome) -> Condition:
    if outcome.declined is not None and outcome.part == "volume":
        return _condition("StorageReady", "False", outcome.declined.reason, outcome.declined.message)
    for member in roster.of(view).members:
        claim = f"{volume.CLAIM}-{member}"
        live = view.seen.get(kinds.PERSISTENT_VOLUME_CLAIM, claim, view.namespace)
        if live is None or (live.get("status") or {}).get("phase") != "Bound":
            message = f"PersistentVolumeClaim {view.namespace}/{claim} waits for a volume; its events say why"
            return _condition("StorageReady", "False", "VolumePending", message)
    return _condition("StorageReady", "True", "StorageReady")


def _members(view: PoolView, outcome: Outcome) -> Condition:
    live = view.seen.get(kinds.STATEFUL_SET, poolnames.etcd(view.name), view.namespace)
    ready = ((live or {}).get("status") or {}).get("readyReplicas", 0)
    wanted, members = view.pool.spec.members, view.membership or ()
    if outcome.step is not None:
        return _condition("MembersReady", "False", STEPS[outcome.step.kind], outcome.step.why)
    if learner := next((each for each in members if each.learner), None):
        message = f"{learner.name} is given everything by the others and has no vote yet"
        return _condition("MembersReady", "False", "MemberJoining", message)
    if stranger := next((each for each in members if each.name not in roster.of(view).members), None):
        who = stranger.name or f"{stranger.id:x}"
        message = f"etcd has a member {who} that is not the pool's: none is replaced until you take it out"
        return _condition("MembersReady", "False", "MemberUnknown", message)
    if ready >= wanted:
        return _condition("MembersReady", "True", "MembersReady")
    if ready:
        return _condition("MembersReady", "False", "MemberDown", _down(view, ready))
    pods = [each for each in view.seen.objects.values() if each["kind"] == "Pod"]
    found = [each for each in pods if names.LABEL_SNAPSHOTS not in meta.labels_of(each)]
    reason, message = podstatus.hindrance(found) or ("MembersStarting", "waiting for etcd's pods to be ready")
    return _condition("MembersReady", "False", reason, message)


def _updated(view: PoolView) -> Condition:
    """Whether every member runs the version that is asked for, and what is done about it."""
    asked, members = snapshot.asked(view), view.membership or ()
    others = sorted({each.version for each in members if each.version} - {asked})
    if snapshot.due(view):
        return _condition("Updated", "False", *_before_update(view))
    if not others:
        return _condition("Updated", "True", "Updated", f"etcd {asked}")
    done = sum(each.version == asked for each in members)
    progress = f"{done} of {len(members)} members run etcd {asked}, the others {', '.join(others)}"
    if down := [each.name for each in members if not each.answers]:
        message = f"{progress}; no other is updated until {', '.join(down)} answers: look at the log of its pod"
        return _condition("Updated", "False", "UpdateStopped", message)
    return _condition("Updated", "False", "Updating", progress)


def _before_update(view: PoolView) -> tuple[str, str]:
    stays = f"etcd stays at {snapshot.told(view)} until a snapshot is written to a member's volume"
    if snapshot.failed(view):
        job = f"Job {view.namespace}/{snapshot.name(view)}"
        return "SnapshotFailed", f"{stays}, and {job} failed: see its pod's log; delete it to have it tried again"
    if not view.image:
        return "SnapshotImpossible", f"{stays}; the provider does not find its own pod: set KAMAJI_IMAGE to its image"
    if silent := [each.name for each in view.membership or () if not each.answers]:
        return "WaitingForMembers", f"{stays}, which begins when {', '.join(silent)} answers"
    return "TakingSnapshot", stays


def _down(view: PoolView, ready: int) -> str:
    down = [each.name for each in view.membership or () if not each.answers]
    minutes = repair.PATIENCE.seconds // 60
    who = f"{', '.join(down)} does not answer" if down else "the others start"
    ready_ones = f"{ready} of {view.pool.spec.members} members are ready"
    return f"{ready_ones}; {who}; one that stays down for {minutes} minutes is replaced"


def _auth(outcome: Outcome) -> Condition:
    if outcome.trial is None:
        return _condition("AuthEnabled", "Unknown", "WaitingForMembers", "etcd is asked once its members are ready")
    return _condition(
        "AuthEnabled", "True" if outcome.trial.ready else "False", outcome.trial.reason, outcome.trial.message
    )


def _durable(view: PoolView) -> Condition:
    if volume.storage_class(view) != volume.ON_NODE:
        return _condition("Durable", "True", "StorageClass")
    members = roster.of(view).members
    places = [
        f"{volume.host_path(view, each)} on node {volume.host_of(view, each) or '(none yet)'}" for each in members
    ]
    if len(members) > 1 and len({volume.host_of(view, each) for each in members}) == len(members):
        return _condition(
            "Durable", "True", "SeveralNodes", f"on the disks of {len(members)} nodes: {', '.join(places)}"
        )
    return _condition(
        "Durable",
        "False",
        "NodeLocalStorage",
        f"the state of all tenants of this store lies in {', '.join(places)} and is lost with it: the cluster had no default"
        " StorageClass when it was made. For more than a trial add one, and make a DataStorePool that names it",
    )


def _ready(view: PoolView, born: list[Condition]) -> Condition:
    for each in born:
        if each.status != "True":
            return _condition(CONDITION_READY, "False", each.reason, each.message)
    store = view.seen.get(kinds.DATA_STORE, view.name)
    status = (store or {}).get("status") or {}
    if not status.get("ready"):
        said = find(status.get("conditions"), CONDITION_READY) or {}
        message = f"DataStore {view.name}: {said.get('message') or 'it is tried for the first time'}"
        return _condition(CONDITION_READY, "False", "DataStoreNotReady", message)
    return _condition(CONDITION_READY, "True", "Ready", f"tenants can name DataStore {view.name}")


def _condition(kind: str, status: Truth, reason: str, message: str = "") -> Condition:
    return Condition(type=kind, status=status, reason=reason, message=message)
