"""Backups of a tenant: taken and followed, listed, and brought back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from provider.api import kinds
from provider.api.kinds import Kind
from provider.cli import backups as kept
from provider.cli import duration, output
from provider.cli.backups import Place
from provider.cli.following import Progress, followed
from provider.cli.format import Format
from provider.cli.session import MANAGER, Session
from provider.cli.trouble import ASKED_AND_NO, Trouble
from provider.cluster.errors import Conflict
from provider.manifest import Manifest


async def backup(session: Session, tenant: str, volume: str, key: str, wait: str) -> int:
    """One, to its end or only begun."""
    patience, found = duration.read(wait), await session.tenant(tenant)
    namespace, called = found["metadata"]["namespace"], found["metadata"]["name"]
    place = Place(destination=kept.on_volume(volume), key=key)
    if not (volume and key):
        schedules = await session.all(kinds.TENANT_BACKUP_SCHEDULE, namespace)
        place = place.filled(kept.usual(called, schedules, await session.all(kinds.TENANT_BACKUP, namespace)))
    return await _made(session, kept.backup(found, _moment(called), place), patience)


async def backups(session: Session, tenant: str, form: Format) -> int:
    """A line for each, of a tenant, a namespace or of everything."""
    namespace, name = session.named(tenant) if tenant else (session.namespace, "")
    found = await session.all(kinds.TENANT_BACKUP, None if session.everywhere else namespace)
    rows = kept.rows(found, name)
    columns = kept.COLUMNS if session.everywhere else kept.COLUMNS[1:]
    shown = kept.shown(rows, datetime.now(UTC)) if form is Format.TABLE else rows
    where = f"of {namespace}/{name}" if name else f"in {session.where}"
    output.rows(shown, columns, form, f"there is no backup {where}")
    return 0


async def restore(session: Session, tenant: str, source: str, wait: str, *, in_place: bool) -> int:
    """A tenant out of one, to its end or only begun."""
    patience, (namespace, called) = duration.read(wait), session.named(tenant)
    there = await session.cluster.get(kinds.TENANT_CONTROL_PLANE, called, namespace)
    if there is not None and not in_place:
        raise Trouble(f"{namespace}/{called} exists: give another name, or say --in-place to replace all that it holds")
    if there is None and in_place:
        await session.tenant(tenant)  # which says that it is not there
    place = kept.place(await _backup(session, source, namespace))
    return await _made(session, kept.restore((namespace, called), _moment(called), place, in_place=in_place), patience)


async def _made(session: Session, asked: Manifest, patience: timedelta) -> int:
    """Have it made, and follow it for that long."""
    namespace, name, kind = asked["metadata"]["namespace"], asked["metadata"]["name"], kinds.of(asked)
    try:
        await session.cluster.create(asked, manager=MANAGER)
    except Conflict as taken:
        raise Trouble(f"there is a {kind.kind} {namespace}/{name} already: look at it, or ask again") from taken
    afterwards = f"`kubectl -n {namespace} get {kind.plural}.{kind.group} {name}` says how far it is"
    if not patience:
        print(f"{kind.kind} {namespace}/{name} is made; {afterwards}")
        return 0

    async def look() -> Progress:
        return kept.judged(await _seen(session, kind, namespace, name))

    await followed(look, patience, afterwards)
    print(kept.done(await _seen(session, kind, namespace, name)))
    return 0


async def _backup(session: Session, said: str, namespace: str) -> Manifest:
    where, slash, name = said.rpartition("/")
    where = where if slash else namespace
    found = await session.cluster.get(kinds.TENANT_BACKUP, name, where) if name and where else None
    if found is None:
        raise Trouble(f"there is no TenantBackup {where}/{name}; `kamaji backups -A` lists all there are")
    return found


async def _seen(session: Session, kind: Kind, namespace: str, name: str) -> Manifest:
    found = await session.cluster.get(kind, name, namespace)
    if found is None:
        raise Trouble(f"{kind.kind} {namespace}/{name} was deleted meanwhile", ASKED_AND_NO)
    return found


def _moment(called: str) -> str:
    return f"{called}-{datetime.now(UTC):%Y%m%d%H%M%S}"
