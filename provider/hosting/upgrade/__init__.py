"""Which version the pods of a tenant run: when an upgrade may begin, when it has failed, and what serves until then. Pure.

Everything is derived from the world: the version that last served as a whole (`status…version.version`, upstream's field),
the Deployment, its pods, the kubelets of the tenant's nodes; but for what `failure` remembers. Asked by the tenant pass before
its walk: `question` says what it has to look up, `decided` gives the answer to all parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from provider.api import names
from provider.api.verdict import NotReady
from provider.hosting import migration, versions
from provider.hosting.upgrade import failure, skew
from provider.hosting.upgrade.failure import Failure
from provider.hosting.upgrade.skew import Kubelet
from provider.hosting.view import Rollout, View
from provider.manifest import Manifest, meta, podstatus
from provider.manifest.condition import holds

LOOK_AGAIN = 30.0  # seconds after which we look again at what no event tells of: nodes inside a tenant
DEADLINE = re.compile(r"[1-9][0-9]{0,4}")
"""Seconds, as the annotation has to say them."""

Question = Literal["", "kubelets", "replica sets"]


def question(view: View) -> Question:
    """What has to be looked up before `decided` can say: nothing, but at the two moments that matter."""
    way = _way(view)
    if way is None or isinstance(way, Rollout) or failure.remembered(view):
        return ""
    if _running(view) == way.target:
        return "replica sets" if _overdue(view) else ""
    return "kubelets" if way.crosses and not _not_now(view, way) else ""


def decided(
    view: View, kubelets: Sequence[Kubelet] | None = None, replica_sets: Iterable[Manifest] = ()
) -> Rollout | None:
    """The version for the pods; None where nothing stands against the spec's, as while nothing ever served.

    `kubelets`: None when the tenant's API server could not be asked. `replica_sets`: those of the tenant, old and new.
    """
    way = _way(view)
    if way is None:
        return None
    if known := failure.remembered(view):
        return _undone(view, known, _template(view))
    if isinstance(way, Rollout):
        return way
    if _running(view) == way.target:
        return _given_up(view, way, replica_sets) if _overdue(view) else way.goes_on()
    hindrance = _not_now(view, way) or (skew.blocked(way.target, kubelets) if way.crosses else None)
    return way.held(hindrance, again=LOOK_AGAIN) if hindrance else way.goes_on()


def deadline(view: View) -> int:
    """Seconds that new pods get for each step on their way, before an upgrade is given up."""
    said = meta.annotations_of(view.raw).get(names.ANNOTATION_UPGRADE_DEADLINE, "")
    return int(said) if DEADLINE.fullmatch(said) else view.settings.upgrade_deadline


@dataclass(frozen=True)
class Way:
    """From what serves to where the pods go next, which the spec may have left behind already."""

    installed: str
    target: str
    wanted: str

    @property
    def crosses(self) -> bool:
        """Whether the target is of another minor."""
        return _step(self.installed, self.target) != 0

    def goes_on(self) -> Rollout:
        """The pods of the target take over."""
        then = "" if self.target == self.wanted else f", then those of {self.wanted}"
        message = f"pods of {self.target} take the place of those of {self.installed}{then}"
        return Rollout(version=self.target, reason="Upgrading", message=message)

    def held(self, hindrance: NotReady, again: float | None = None) -> Rollout:
        """What serves goes on serving."""
        return Rollout(version=self.installed, reason=hindrance.reason, message=hindrance.message, again=again)


def _way(view: View) -> Way | Rollout | None:
    """None where there is none to go: before anything served, when it is there, and for what is no version (said elsewhere).

    A Rollout where it cannot be gone in steps of one minor, unless the first of them is under way.
    """
    installed, wanted = versions.installed(view), f"v{view.tcp.spec.kubernetes.version.removeprefix('v')}"
    if installed is None or installed == wanted or not versions.is_one(wanted) or not versions.is_one(installed):
        return None
    steps, under_way = _step(installed, wanted), _running(view)
    if steps in (0, 1):
        return Way(installed, wanted, wanted)
    if steps > 1 and under_way and _step(installed, under_way) == 1:
        return Way(installed, under_way, wanted)
    hindrance = NotReady(
        "VersionSkipped",
        f"a control plane goes up one minor version at a time and never down, and {installed} serves:"
        f" set spec.kubernetes.version back to {installed}, then to a version of the next minor",
    )
    return Way(installed, wanted, wanted).held(hindrance)


def _step(one: str, other: str) -> int:
    """Minors from one version up to another; another major is far away."""
    (major, minor), (other_major, other_minor) = versions.numbers(one), versions.numbers(other)
    return other_minor - minor + 1000 * (other_major - major)


def _template(view: View) -> Manifest:
    """The spec of the pods that the Deployment makes by now; empty when there is none."""
    return dict(((view.deployment or {}).get("spec") or {}).get("template", {}).get("spec") or {})


def _running(view: View) -> str | None:
    """The version of the pods that the Deployment makes by now."""
    return versions.run_by(view, _template(view))


def _overdue(view: View) -> bool:
    """The Deployment controller's word that the new pods did not get on within the deadline, about the template as it is."""
    deployment = view.deployment or {}
    status: Mapping[str, Any] = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment.get("metadata", {}).get("generation", 0):
        return False
    return any(
        (each["type"], each["status"], each.get("reason")) == ("Progressing", "False", "ProgressDeadlineExceeded")
        for each in status.get("conditions") or ()
    )


def _given_up(view: View, way: Way, replica_sets: Iterable[Manifest]) -> Rollout:
    """Back to what served, unless that was the target already: then it is no upgrade that does not get on."""
    before = _that_served(view, replica_sets) or {}
    served = versions.run_by(view, before)
    if served == way.target:
        return way.goes_on()
    back = served if served and _step(way.installed, served) in (0, 1) else way.installed
    pods = [each for each in view.pods if versions.run_by(view, each.get("spec") or {}) == way.target]
    _, what = podstatus.hindrance(pods) or ("", "its pods did not get ready")
    why = (
        f"{way.target} was given up after {deadline(view)} s without progress: {what}. {back} is what runs."
        f" Mend that, then set spec.kubernetes.version to {way.installed} and on to a version again;"
        " any other change of the spec but replicas tries at once"
    )
    return _undone(view, failure.of(view, way.target, back, why), before)


def _undone(view: View, known: Failure, before: Manifest) -> Rollout:
    """The pods as they served before, where `before` is what those were made of."""
    kept = versions.run_by(view, before) == known.back and _may_run(view, before)
    return Rollout(
        version=known.back,
        reason="UpgradeFailed",
        message=known.why,
        kept=before if kept else None,
        record=known.written(),
    )


def _may_run(view: View, pod: Manifest) -> bool:
    """Whether a pod's spec from before fits the replicas of now: one that elects no leader may not run beside another."""
    arguments = [argument for each in pod["containers"] for argument in each.get("args") or ()]
    return view.tcp.deployment.replicas < 2 or "--leader-elect=false" not in arguments


def _that_served(view: View, replica_sets: Iterable[Manifest]) -> Manifest | None:
    """The spec of the pods that served until now, as the ReplicaSets remember it: most ready pods, then the latest.

    The latest of all is what the Deployment makes now, and is not looked at.
    """

    def serving(each: Manifest) -> tuple[int, int]:
        return (each.get("status") or {}).get("readyReplicas", 0), _revision(each)

    own = sorted((each for each in replica_sets if _made_by(view, each)), key=_revision)
    best = max(own[:-1], key=serving, default=None)
    return dict(best["spec"]["template"]["spec"]) if best else None


def _made_by(view: View, replica_set: Manifest) -> bool:
    uid = (view.deployment or {}).get("metadata", {}).get("uid")
    return any(each.get("uid") == uid for each in replica_set["metadata"].get("ownerReferences") or ())


def _revision(replica_set: Manifest) -> int:
    said = meta.annotations_of(replica_set).get("deployment.kubernetes.io/revision", "")
    return int(said) if said.isdecimal() else 0


def _not_now(view: View, way: Way) -> NotReady | None:
    """An upgrade begins from a version that serves, so that there is one to go back to: not asleep, not while it wakes.

    Nor while pods roll from one store to another: what served before is not what one may go back to.
    """
    if view.move is not None and view.move.phase in migration.UNDER_WAY:
        return NotReady("Migrating", f"{way.target} takes the place of {way.installed} once the tenant has moved")
    if view.tcp.deployment.replicas == 0:
        return NotReady("Sleeping", f"{way.installed} sleeps; {way.target} takes its place once it is awake")
    if not ((view.deployment or {}).get("spec") or {}).get("replicas") or _settling(view):
        return NotReady("Waking", f"{way.target} takes the place of {way.installed} as soon as that serves")
    return None


def _settling(view: View) -> bool:
    """Whether pods are just starting. One that cannot start, or takes too long, holds up no upgrade: it may be the cure."""
    if any(podstatus.is_ready(each) for each in view.pods) or podstatus.hindrance(view.pods):
        return False
    young = timedelta(seconds=deadline(view))
    born = [each["metadata"].get("creationTimestamp") for each in view.pods]
    if not born:
        return not holds(((view.deployment or {}).get("status") or {}).get("conditions"), "ReplicaFailure")
    return any(each and view.now - datetime.fromisoformat(each) < young for each in born)
