"""What is to be done about the members of a store: one step at a time, and none that could cost the quorum. Pure.

Decided from what etcd says and what is seen of pods and claims; taken by `reconcile.membership`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from provider.api import kinds, poolnames
from provider.hosting.desired.pool import roster
from provider.hosting.desired.pool.pods import down_since, stays
from provider.hosting.rotation import stores
from provider.hosting.storeview import Member, PoolView, member_names
from provider.manifest import Manifest, meta

PATIENCE = timedelta(minutes=10)  # after which a member that is down is given up, as long as the others have the quorum
REVISION = "controller-revision-hash"


@dataclass(frozen=True, kw_only=True)
class Step:
    """`promote` gives a learner its vote, `replace` takes a member out and lets it in anew, `add` lets in one more,
    `restart` deletes its pod and those of `also`. `why` is a sentence for people.
    """

    kind: Literal["promote", "replace", "add", "restart"]
    member: str
    id: int = 0
    also: tuple[str, ...] = ()
    why: str


def step(view: PoolView) -> Step | None:
    """The next step; None when all is well, or when one has to wait."""
    return _to_trust(view) or _of_members(view)


def _of_members(view: PoolView) -> Step | None:
    found = view.membership
    if found is None:
        return _restart_of_the_dead(view)
    if any(each.name not in member_names(view) for each in found):
        return None  # let in by hand: whoever did that knows why, and who votes is not ours to count then
    if (gone := _to_replace(view, found)) is not None:
        return gone
    if learner := next((each for each in found if each.learner), None):
        return _of_learner(learner)
    if all(each.answers for each in found):
        return _to_add(view, found) or _to_restart(view, found)
    return _restart_of_the_dead(view)


def clearance(view: PoolView) -> tuple[Manifest, ...]:
    """Claims and pods of members that were given up, and volumes of ours that they leave: to be deleted."""
    found = roster.of(view)
    cleared: list[Manifest] = []
    for member in found.retired:
        claim, pod = roster.claim_of(view, member), view.seen.get(kinds.POD, member, view.namespace)
        volume = str(((claim or {}).get("spec") or {}).get("volumeName") or "")
        owned = view.seen.get(kinds.PERSISTENT_VOLUME, volume)
        cleared += [dict(each) for each in (claim, pod, owned) if each is not None]
    return tuple(each for each in cleared if not each["metadata"].get("deletionTimestamp"))


def outdated(view: PoolView) -> tuple[str, ...]:
    """Pods that do not run what the StatefulSet says, as its controller has seen it; the highest number first."""
    live = view.seen.get(kinds.STATEFUL_SET, poolnames.etcd(view.name), view.namespace) or {}
    status = live.get("status") or {}
    if status.get("observedGeneration") != (live.get("metadata") or {}).get("generation"):
        return ()
    wanted = status.get("updateRevision")
    members = reversed(roster.of(view).members)
    pods = {each: view.seen.get(kinds.POD, each, view.namespace) for each in members}
    return tuple(
        name for name, pod in pods.items() if pod and wanted and meta.labels_of(pod).get(REVISION) not in (None, wanted)
    )


def lost(view: PoolView, member: Member) -> str:
    """Why a member that does not answer will not come back by itself; empty while it may."""
    known, claim = roster.of(view).volumes.get(member.name), roster.claim_of(view, member.name)
    if known and claim is None:
        return "its PersistentVolumeClaim is gone"
    if claim is not None and known and claim["metadata"].get("uid") != known:
        return "its PersistentVolumeClaim is another one than it had"
    if ((claim or {}).get("status") or {}).get("phase") == "Lost":
        return "its volume is gone"
    since = down_since(view.seen.get(kinds.POD, member.name, view.namespace))
    if outdated(view):
        return ""  # a change that does not get on is no reason to throw data away
    if since is not None and view.now - since > PATIENCE:
        return f"its pod has not been ready for more than {PATIENCE.seconds // 60} minutes"
    return ""


def _to_replace(view: PoolView, found: tuple[Member, ...]) -> Step | None:
    """The first that is lost, if those that answer are a quorum also of all that vote now."""
    voters = [each for each in found if not each.learner]
    answering = sum(each.answers for each in voters)
    joining = roster.of(view)
    for each in found:
        if each.answers or answering <= len(voters) // 2:
            continue
        if each.learner and not each.started and each.name in joining.retired:
            continue  # it has only just been let in; what it had is being cleared away
        if why := lost(view, each):
            return Step(kind="replace", member=each.name, id=each.id, why=f"{each.name} is replaced: {why}")
    return None


def _of_learner(learner: Member) -> Step | None:
    if not learner.answers:
        return None
    return Step(
        kind="promote", member=learner.name, id=learner.id, why=f"{learner.name} gets a vote once it has everything"
    )


def _to_trust(view: PoolView) -> Step | None:
    """All pods that trust others than those who are trusted now, so that they are of no use: etcd reads whom once."""
    if view.seen.get(kinds.STATEFUL_SET, poolnames.etcd(view.name), view.namespace) is None:
        return None
    pods = {each: view.seen.get(kinds.POD, each, view.namespace) for each in roster.of(view).members}
    old = [
        name
        for name, pod in pods.items()
        if pod and not pod["metadata"].get("deletionTimestamp")
        if stores.estranged(view, pod)
    ]
    if not old:
        return None
    why = (
        "an authority is new: members of the old and of the new one do not know each other, so all start again at once"
    )
    return Step(kind="restart", member=old[0], also=tuple(old[1:]), why=why)


def _to_add(view: PoolView, found: tuple[Member, ...]) -> Step | None:
    known = {each.name for each in found}
    missing = next((each for each in member_names(view) if each not in known), None)
    if missing is None:
        return None
    return Step(
        kind="add", member=missing, why=f"{missing} becomes member {len(found) + 1} of {view.pool.spec.members}"
    )


def _to_restart(view: PoolView, found: tuple[Member, ...]) -> Step | None:
    """One that runs something else than is asked for: the leader last, as it hands over when it ends."""
    leader = next((each.name for each in found if each.leader), "")
    old = sorted(outdated(view), key=lambda each: each == leader)
    if not old or not all(stays(view.seen.get(kinds.POD, each.name, view.namespace)) for each in found):
        return None
    return Step(
        kind="restart", member=old[0], why=f"{old[0]} starts again to run what is asked for; {len(old) - 1} to go"
    )


def _restart_of_the_dead(view: PoolView) -> Step | None:
    """One that is down and does not run what is asked for: what is asked for now may be what lets it start."""
    for name in outdated(view):
        pod = view.seen.get(kinds.POD, name, view.namespace)
        if down_since(pod) is not None:
            return Step(kind="restart", member=name, why=f"{name} is down and starts again to run what is asked for")
    return None
