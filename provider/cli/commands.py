"""What each command does: reads by `session`, decides in its own module, writes by `output`. Called by `commands`.

Every function returns the exit status.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from provider.api import kinds, names
from provider.cli import certificates as dated
from provider.cli import doctor as examining
from provider.cli import explain as explaining
from provider.cli import joining, listing, output, power, reading, sentences
from provider.cli import kubeconfig as admin
from provider.cli import plan as planning
from provider.cli import tree as drawing
from provider.cli.format import Format, Ring
from provider.cli.session import MANAGER, Session
from provider.cli.trouble import ASKED_AND_NO, Trouble
from provider.cluster.errors import Forbidden
from provider.manifest.condition import timestamp

ROTATE = {
    Ring.CA: names.ANNOTATION_ROTATE_CA,
    Ring.FRONT_PROXY_CA: names.ANNOTATION_ROTATE_FRONT_PROXY_CA,
    Ring.SERVICE_ACCOUNT_KEY: names.ANNOTATION_ROTATE_SERVICE_ACCOUNT_KEY,
    Ring.ENCRYPTION_KEY: names.ANNOTATION_ROTATE_ENCRYPTION_KEY,
}


async def get(session: Session, form: Format) -> int:
    """A line for each tenant."""
    found = [listing.tenant(each, _now()) for each in await session.tenants()]
    columns = listing.TENANTS if session.everywhere else listing.TENANTS[1:]
    where = "any namespace" if session.everywhere else f"namespace {session.namespace}; -A looks everywhere"
    output.rows(found, columns, form, f"there is no tenant in {where}")
    return 0


async def stores(session: Session, form: Format) -> int:
    """A line for each DataStore."""
    found = [listing.store(each) for each in await session.all(kinds.DATA_STORE)]
    output.rows(found, listing.STORES, form, "there is no DataStore: make one, or a DataStorePool")
    return 0


async def moves(session: Session, form: Format) -> int:
    """Which tenants pools move between their stores, or would."""
    found = listing.moves(await session.all(kinds.DATA_STORE_POOL))
    output.rows(found, listing.MOVES, form, "no pool moves anybody, or would")
    return 0


async def placements(session: Session, form: Format) -> int:
    """Why each tenant is where it is."""
    found = listing.placements(await session.tenants())
    output.rows(found, listing.PLACEMENTS, form, "there is no tenant")
    return 0


async def explain(session: Session, tenant: str, form: Format) -> int:
    """Why it is not ready; 1 when there is something to say."""
    found = await session.tenant(tenant)
    try:
        events = await session.cluster.list(kinds.EVENT, found["metadata"]["namespace"])
    except Forbidden:
        events = []
    explanation = explaining.tenant(found, events, _now())
    if form is Format.TABLE:
        sentences.explanation(explanation)
    else:
        output.data(explanation.said(), form)
    return 0 if explanation.ready else ASKED_AND_NO


async def tree(session: Session, tenant: str, form: Format) -> int:
    """Its objects, and how they do."""
    found = await session.tenant(tenant)
    here = drawing.branches(await reading.here(session, found), _now())
    inside, why = await reading.inside(session, found)
    there = drawing.branches(inside, _now())
    root = f"TenantControlPlane {found['metadata']['namespace']}/{found['metadata']['name']}"
    if form is not Format.TABLE:
        said = {"name": root, "here": [each.said() for each in here], "inside": [each.said() for each in there]}
        output.data(said | ({"insideUnknown": why} if why else {}), form)
        return 0
    output.console().print(drawing.drawn(root, here))
    output.console().print(drawing.drawn(f"inside it: not known, {why}" if why else "inside it", there))
    return 0


async def certificates(session: Session, tenant: str, form: Format) -> int:
    """Its certificates with their ages."""
    found = await session.tenant(tenant)
    rows = dated.rows(await reading.secrets(session, found), _now())
    output.rows(rows, dated.COLUMNS, form, f"{tenant} has no certificates yet")
    return 0


async def kubeconfig(session: Session, tenant: str, *, internal: bool) -> int:
    """Its admin kubeconfig, as it stands in the Secret."""
    content = await admin.content(session, await session.tenant(tenant), admin.INSIDE if internal else admin.PUBLIC)
    sys.stdout.write(content.decode())
    return 0


async def merge(session: Session, tenant: str, into: str | None, *, use: bool) -> int:
    """The same as a context in the user's own file."""
    found = await session.tenant(tenant)
    name = f"{found['metadata']['namespace']}-{found['metadata']['name']}"
    file = admin.target(into, os.environ)
    admin.merge_into(file, admin.renamed(await admin.content(session, found), name), use=use)
    print(f"context {name} is in {file}" + (" and is the current one" if use else ""))
    return 0


async def join_command(session: Session, tenant: str, ttl: str) -> int:
    """A token in the tenant, and the line that uses it."""
    life = joining.duration(ttl)
    found = await session.tenant(tenant)
    content = await admin.content(session, found)
    token = joining.token()
    async with reading.tenant(session, found) as inside:
        await inside.apply(joining.secret(token, life, _now()), manager=MANAGER)
    print(joining.command(content, token))
    return 0


async def sleep(session: Session, tenant: str) -> int:
    """Its pods go."""
    print(await power.slept(session, await session.tenant(tenant)))
    return 0


async def wake(session: Session, tenant: str, replicas: int | None) -> int:
    """Its pods come back."""
    print(await power.woken(session, await session.tenant(tenant), replicas))
    return 0


async def rotate(session: Session, tenant: str, what: Ring) -> int:
    """Another authority or key; the provider takes it from there."""
    found = await session.tenant(tenant)
    kind, asked = await session.asked(found)
    namespace, name = found["metadata"]["namespace"], found["metadata"]["name"]
    patch = {"metadata": {"annotations": {ROTATE[what]: timestamp(_now())}}}
    await session.cluster.merge(kind, asked["metadata"]["name"], namespace, patch, manager=MANAGER)
    print(f"{what} of {namespace}/{name} is asked for anew; `kamaji explain {namespace}/{name}` says how far it is")
    return 0


async def plan(session: Session, file: str, form: Format) -> int:
    """What a file would change."""
    plans = [each async for each in _plans(session, file)]
    if form is not Format.TABLE:
        output.data([each.said() for each in plans], form)
        return 0
    for each in plans:
        sentences.plan(each)
    return 0


async def diff(session: Session, file: str) -> int:
    """The same as diffs; 1 when there is one."""
    changes = [change async for each in _plans(session, file) for change in each.changes]
    for change in changes:
        print("\n".join(planning.difference(change)))
    return ASKED_AND_NO if changes else 0


async def doctor(session: Session, form: Format) -> int:
    """Whether the management cluster is fit; 1 when it is not."""
    found = await examining.checked(session, _now, await reading.settings(session))
    output.rows([each.row() for each in found], examining.COLUMNS, form, "")
    return ASKED_AND_NO if any(each.verdict == "bad" for each in found) else 0


async def _plans(session: Session, file: str) -> AsyncIterator[planning.Plan]:
    wanted = planning.read(_text(file), file)
    settings = await reading.settings(session)
    for each in wanted:
        yield await planning.planned(session, each, settings, _now())


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from error


def _now() -> datetime:
    return datetime.now(UTC)
