"""What a shell offers for an argument: names out of the management cluster, and nothing when that is slow.

Called in a process that ends with the answer. Whatever goes wrong is no news at a prompt: then nothing is offered.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from provider.api import kinds

if TYPE_CHECKING:
    from provider.api.kinds import Kind
    from provider.cli.session import Session

PATIENCE = 2.0  # seconds: who presses TAB waits for it

Names = Callable[["Session", str], Awaitable[list[str]]]


def tenants(context: typer.Context, incomplete: str) -> list[str]:
    """Those of the namespace; of the one before a slash; where none fits, those of all namespaces, as namespace/name."""
    return _asked(context, incomplete, lambda session, said: _placed(session, kinds.TENANT_CONTROL_PLANE, said))


def backups(context: typer.Context, incomplete: str) -> list[str]:
    """TenantBackups, likewise."""
    return _asked(context, incomplete, lambda session, said: _placed(session, kinds.TENANT_BACKUP, said))


def stores(context: typer.Context, incomplete: str) -> list[str]:
    """DataStores."""
    return _asked(context, incomplete, lambda session, said: _named(session, kinds.DATA_STORE, said))


def namespaces(context: typer.Context, incomplete: str) -> list[str]:
    """All that there are."""
    return _asked(context, incomplete, lambda session, said: _named(session, kinds.NAMESPACE, said))


def _asked(context: typer.Context, incomplete: str, names: Names) -> list[str]:
    """The names, or nothing. No library says a word meanwhile, and no plugin that logs in asks for one."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for each in (sys.stdin, sys.stderr):
        os.dup2(nowhere, each.fileno())
    try:
        return asyncio.run(_answered(context, incomplete, names))
    except Exception:
        return []


async def _answered(context: typer.Context, incomplete: str, names: Names) -> list[str]:
    from provider.cluster import spare

    spare.imports()
    from provider.cli.session import Where, opened

    _wait_no_longer()
    before = context.parent.params if context.parent else {}
    where = Where(
        kubeconfig=before.get("kubeconfig"),
        context=before.get("kube_context"),
        namespace=context.params.get("namespace"),
    )
    async with opened(where) as session:
        return await names(session, incomplete)


def _wait_no_longer() -> None:
    """Whatever is slow then (a lookup, a plugin that logs in) ends with the process, for a thread of it cannot be stopped."""
    alarm = threading.Timer(PATIENCE, os._exit, (0,))
    alarm.daemon = True
    alarm.start()


async def _placed(session: Session, kind: Kind, said: str) -> list[str]:
    before, slash, name = said.rpartition("/")
    found = await session.cluster.bare(kind, before or session.namespace)
    if fitting := _fitting([each["metadata"]["name"] for each in found], name):
        return [f"{before}{slash}{each}" for each in fitting]
    everywhere = [each["metadata"] for each in await session.cluster.bare(kind)]
    return _fitting([f"{each['namespace']}/{each['name']}" for each in everywhere], said)


async def _named(session: Session, kind: Kind, said: str) -> list[str]:
    return _fitting([each["metadata"]["name"] for each in await session.cluster.bare(kind)], said)


def _fitting(found: list[str], said: str) -> list[str]:
    return sorted(each for each in found if each.startswith(said))
