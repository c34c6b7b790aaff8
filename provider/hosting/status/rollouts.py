"""The condition that tells of pods that are not made anew any more, for they were too often; there is none at other times."""

from __future__ import annotations

from provider.hosting.view import View
from provider.manifest.condition import Condition

TYPE = "RolloutLoop"


def conditions(view: View) -> list[Condition]:
    """One, True, with what made the pods roll the last time: names only, for values may be secrets."""
    if not view.stopped:
        return []
    message = (
        "the pods were made anew too often within an hour without a change of the spec and stay as they are; the last time they"
        f" differed in {', '.join(view.stopped)}: find out who changes that. Any change of the spec lets them roll again; else"
        " it is tried once a day"
    )
    return [Condition(type=TYPE, status="True", reason="RolloutsStopped", message=message)]
