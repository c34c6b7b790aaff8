"""Two conditions of pods that are made anew, each there only when it has something to tell: that they are not any more, for
they were too often; and that new ones do not start while others serve, which no promise of Ready tells of."""

from __future__ import annotations

from provider.hosting.view import View
from provider.manifest import podstatus
from provider.manifest.condition import Condition

TYPE = "RolloutLoop"
STUCK = "RolledOut"


def conditions(view: View) -> list[Condition]:
    """Neither, one or both."""
    return [*_loop(view), *_stuck(view)]


def _stuck(view: View) -> list[Condition]:
    """False while a pod that is wanted cannot start and others serve. While none does, PodsReady says it."""
    deployment = view.deployment
    if (
        deployment is None
        or podstatus.rolled_out(deployment)
        or not (deployment.get("status") or {}).get("readyReplicas")
    ):
        return []
    wanted = [each for each in view.pods if not each["metadata"].get("deletionTimestamp")]
    if (found := podstatus.hindrance(wanted)) is None:
        return []
    reason, message = found
    return [
        Condition(type=STUCK, status="False", reason=reason, message=f"{message}; the pods that are ready serve on")
    ]


def _loop(view: View) -> list[Condition]:
    """True, with what made the pods roll the last time: names only, for values may be secrets."""
    if not view.stopped:
        return []
    message = (
        "the pods were made anew too often within an hour without a change of the spec and stay as they are; the last time they"
        f" differed in {', '.join(view.stopped)}: find out who changes that. Any change of the spec lets them roll again; else"
        " it is tried once a day"
    )
    return [Condition(type=TYPE, status="True", reason="RolloutsStopped", message=message)]
