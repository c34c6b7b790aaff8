"""What there is to say of a store's snapshots: the newest one that is kept, and whether the last try was one.

Read from the Jobs of its CronJob and the last words of their pods. What those said is told on when they are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from provider.api import kinds, names, poolnames
from provider.api.datastorepool import LastSnapshot
from provider.api.verdict import Verdict
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, meta, podstatus
from provider.manifest.condition import Condition

CONDITION = "SnapshotsTaken"
PENDING = timedelta(minutes=3)  # after which a pod that does not start is told of
KEEP = "keep"  # the container that says what was kept
OURS = "capi-kamaji: "  # how the provider's own last words begin; of others' none are told


def last(view: PoolView) -> dict[str, Any] | None:
    """The newest that is kept, as a pod says or as it was told before; None while there is none, or none is asked for."""
    if view.pool.spec.snapshots is None:
        return None
    loads = (view.raw.get("status") or {}).get("stores") or ()
    told = next((each.get("lastSnapshot") for each in loads if each.get("name") == view.name), None)
    found = [told] if told else []
    found += [said for pod in _pods(view) if (said := _said(pod))]
    return max(found, key=lambda each: str(each["time"]), default=None)


def conditions(view: PoolView, declined: Verdict | None) -> Iterator[Condition]:
    """One where snapshots are asked for. `declined`: why the CronJob is not as it should be."""
    if view.pool.spec.snapshots is None:
        return
    if not view.image:
        why = "the provider does not find its own pod: set KAMAJI_IMAGE to its image"
        yield _condition("False", "SnapshotImpossible", why)
    elif declined is not None:
        yield _condition("False", declined.reason, declined.message)
    else:
        yield _of_jobs(view)


def _of_jobs(view: PoolView) -> Condition:
    newest = last(view)
    kept = f"the newest that is kept is {newest['name']}" if newest else "none is kept"
    jobs = sorted(
        _jobs(view), key=lambda each: (str(each["metadata"].get("creationTimestamp")), str(each["metadata"]["name"]))
    )
    if jobs and not _ended(jobs[-1]) and (hindrance := _hindrance(view, jobs[-1])):
        return _condition("False", hindrance[0], f"{hindrance[1]}; {kept}")
    tried = [each for each in jobs if _ended(each)]
    if tried and _ended(tried[-1]) == "Failed":
        return _condition("False", "SnapshotFailed", f"{_failure(view, tried[-1])}; {kept}")
    if newest is None:
        asked = view.pool.spec.snapshots
        assert asked is not None, "nobody is told of snapshots that are not asked for"
        return _condition("Unknown", "NoneYet", f"the first is taken when {asked.schedule!r} says so, in UTC")
    return _condition("True", CONDITION, f"it was restored and held what the store held: {newest['name']}")


def _hindrance(view: PoolView, job: Manifest) -> tuple[str, str] | None:
    """Why a Job does not get on: a container that cannot start, or a pod that waits for what it mounts."""
    pods = _of(job, view)
    if (found := podstatus.hindrance(pods)) and found[0] != "Unschedulable":
        return found
    since = datetime.fromisoformat(str(job["metadata"].get("creationTimestamp") or view.now.isoformat()))
    if view.now - since < PENDING or any((pod.get("status") or {}).get("phase") != "Pending" for pod in pods):
        return None
    waits = f"the pod of Job {view.namespace}/{job['metadata']['name']} does not start"
    return "SnapshotPending", f"{waits}: {_question(view)} The pod's events say more"


def _question(view: PoolView) -> str:
    asked = view.pool.spec.snapshots
    assert asked is not None, "nobody is told of snapshots that are not asked for"
    if asked.to.volume is not None:
        return f"is PersistentVolumeClaim {view.namespace}/{asked.to.volume.claim_name} there, and bound?"
    if asked.to.s3 is not None and asked.to.s3.secret_name:
        return f"is Secret {view.namespace}/{asked.to.s3.secret_name} there?"
    return "is there a node with room for it?"


def _failure(view: PoolView, job: Manifest) -> str:
    """What failed, as far as our own program says; which log to read, and how to try again."""
    where, name = f"Job {view.namespace}/{job['metadata']['name']}", poolnames.snapshots(view.name)
    again = f"`kubectl create job -n {view.namespace} --from=cronjob/{name} again` tries again before its time"
    for pod in _of(job, view):
        status = pod.get("status") or {}
        for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            ended = (each.get("state") or {}).get("terminated") or {}
            if ended.get("exitCode"):
                return f"{where} failed in container {each['name']}, {_words(ended)}. {again}"
    return f"{where} failed: see its events. {again}"


def _words(ended: Mapping[str, Any]) -> str:
    said = [line for line in str(ended.get("message") or "").splitlines() if line.startswith(OURS)]
    return said[-1].removeprefix(OURS) if said else "see its log"


def _said(pod: Manifest) -> dict[str, Any] | None:
    """What a pod says it has kept; None of one that has kept nothing."""
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (each.get("state") or {}).get("terminated") or {}
        if each["name"] == KEEP and ended.get("exitCode") == 0:
            try:
                return LastSnapshot.model_validate_json(str(ended.get("message"))).model_dump(mode="json")
            except ValidationError:
                return None
    return None


def _ended(job: Manifest) -> str:
    """`Complete` or `Failed`; empty of one that goes on."""
    said = (job.get("status") or {}).get("conditions") or ()
    return next(
        (str(each["type"]) for each in said if each["type"] in ("Complete", "Failed") and each["status"] == "True"), ""
    )


def _jobs(view: PoolView) -> list[Manifest]:
    """Of the CronJob, also those that somebody made from it by hand; not the one before an upgrade."""
    name = poolnames.snapshots(view.name)
    return [
        each
        for each in view.seen.objects.values()
        if each["kind"] == kinds.JOB.kind
        if any(owner.get("name") == name for owner in each["metadata"].get("ownerReferences") or ())
    ]


def _pods(view: PoolView) -> list[Manifest]:
    return [each for each in view.seen.objects.values() if names.LABEL_SNAPSHOTS in meta.labels_of(each)]


def _of(job: Manifest, view: PoolView) -> list[Manifest]:
    uid = job["metadata"].get("uid")
    return [
        pod
        for pod in _pods(view)
        if any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences") or ())
    ]


def _condition(status: Any, reason: str, message: str) -> Condition:
    return Condition(type=CONDITION, status=status, reason=reason, message=message)
