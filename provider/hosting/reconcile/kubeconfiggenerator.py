"""The pass over one KubeconfigGenerator: a kubeconfig for each tenant selected, none for others. Called by the room's queue.

Renewal is by deadline: the pass says when the first certificate reaches two thirds of its life. A finalizer lets it take back
what it made. One tenant's failure is that tenant's: the others get theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from provider.api import kinds, names
from provider.api.verdict import Invalid, Verdict
from provider.cluster.errors import Forbidden, Refused
from provider.hosting.desired import kubeconfiggenerator as desired
from provider.hosting.generatorview import GeneratorView, Target
from provider.hosting.observe import kubeconfiggenerator as observe
from provider.hosting.reconcile import finalizer, stating
from provider.hosting.reconcile.context import Context
from provider.hosting.status import kubeconfiggenerator as status
from provider.hosting.view import key_of
from provider.manifest import Manifest, meta

CHECK_REFUSED = (
    30.0  # seconds until what the management cluster refused is tried again: quota and policies send no event
)
CHECK_LONGEST = 12 * 3600.0  # a timer of months is no use on a clock that may be set
AT_ONCE = 8


@dataclass
class Outcome:
    """What came of the targets."""

    failures: dict[str, str] = field(default_factory=dict)
    due: list[datetime] = field(default_factory=list)  # when each kubeconfig is to be made anew
    refused: bool = False
    broken: list[Exception] = field(default_factory=list)


async def kubeconfig_generator(context: Context, name: str) -> float | None:
    """One pass. Returns seconds after which to look again, None when events will tell."""
    raw = await context.cluster.get(kinds.KUBECONFIG_GENERATOR, name)
    if raw is None:
        return None
    if raw["metadata"].get("deletionTimestamp"):
        await _ended(context, raw)
        return None
    if names.ANNOTATION_PAUSED in meta.annotations_of(raw):
        return None
    raw = await finalizer.held(context.cluster, raw, names.FINALIZER_GENERATOR)
    try:
        view = await observe.view(
            context.cluster, raw, settings=context.settings, now=context.clock(), mint=context.mint
        )
    except Invalid as verdict:
        # Nothing is made and nothing taken back while it cannot be told who is meant.
        await stating.wanted(context.cluster, raw, status.refused(raw, verdict, context.clock()))
        return None
    outcome = await _made(context, view)
    await _tidied(context, view.surplus)
    await stating.wanted(context.cluster, raw, status.of(raw, len(view.targets), outcome.failures, view.now))
    if outcome.broken:
        raise outcome.broken[0]
    return _again(view, outcome)


async def _made(context: Context, view: GeneratorView) -> Outcome:
    """Every target is tried, some side by side."""
    outcome, turns = Outcome(), asyncio.Semaphore(AT_ONCE)

    async def one(target: Target) -> None:
        async with turns:
            try:
                outcome.due.append(desired.renewal(target, await _applied(context, view, target)))
            except Verdict as verdict:
                outcome.failures[target.resource] = verdict.message
            except (Refused, Forbidden) as error:
                outcome.failures[target.resource] = f"the management cluster refuses its Secret: {error}"
                outcome.refused = True
            except Exception as error:
                outcome.failures[target.resource] = (
                    f"failed with {type(error).__name__}; it is tried again, see the log"
                )
                outcome.broken.append(error)

    await asyncio.gather(*(one(each) for each in view.targets))
    return outcome


async def _applied(context: Context, view: GeneratorView, target: Target) -> Manifest:
    wanted = desired.build(view, target)
    live: Mapping[Any, Manifest] = {key_of(target.secret): target.secret} if target.secret else {}
    (applied,) = await context.applier.apply({}, desired.NAME, [wanted], live)
    return applied


async def _tidied(context: Context, secrets: Iterable[Manifest]) -> None:
    """Take back kubeconfigs; a Secret that somebody made anew under the name meanwhile is another's."""
    for each in secrets:
        metadata = each["metadata"]
        await context.cluster.delete(kinds.SECRET, metadata["name"], metadata["namespace"], uid=metadata["uid"])


async def _ended(context: Context, raw: Manifest) -> None:
    """With the generator go its kubeconfigs."""
    where = context.settings.watch_namespace or None
    await _tidied(context, await observe.secrets(context.cluster, raw["metadata"]["name"], where))
    await finalizer.released(context.cluster, raw, names.FINALIZER_GENERATOR)


def _again(view: GeneratorView, outcome: Outcome) -> float | None:
    if outcome.refused:
        return CHECK_REFUSED
    if not outcome.due:
        return None
    ahead = [
        each for each in outcome.due if each > view.now
    ]  # one that ends with its authority is past its time and stays
    return min([CHECK_LONGEST, *(max(1.0, (each - view.now).total_seconds()) for each in ahead)])
