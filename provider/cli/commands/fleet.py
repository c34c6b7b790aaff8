"""Lists: tenants and what they take, stores, and who is where and why."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cli import files, output
from provider.cli import prices as pricing
from provider.cli import top as taking
from provider.cli.format import Format, Order
from provider.cli.session import Session
from provider.cluster.errors import ApiError
from provider.manifest import Manifest
from provider.overview import listing


async def get(session: Session, form: Format) -> int:
    """A line for each tenant."""
    found = [listing.tenant(each, datetime.now(UTC)) for each in await session.tenants()]
    columns = listing.TENANTS if session.everywhere else listing.TENANTS[1:]
    output.rows(found, columns, form, f"there is no tenant in {session.where}")
    return 0


async def top(session: Session, prices: str | None, by: Order, form: Format) -> int:
    """A line for each tenant, with what it takes."""
    priced = None if prices is None else pricing.read(files.text(prices), prices)
    tenants = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in await session.tenants()}
    measured = await _if_told(session, kinds.POD_METRICS)
    found = taking.pods(tenants, await _if_told(session, kinds.POD), measured)
    rows = taking.ordered([taking.row(tenants[key], found[key], priced) for key in tenants], by)
    columns = taking.COLUMNS if session.everywhere else taking.COLUMNS[1:]
    columns = columns if priced is None else (*columns, taking.COST)
    shown = taking.shown(rows) if form is Format.TABLE else rows
    output.rows(shown, columns, form, f"there is no tenant in {session.where}")
    if measured is None and tenants:
        print("kamaji: no metrics server tells what pods use; what they ask for is known", file=sys.stderr)
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


async def _if_told(session: Session, kind: Kind) -> list[Manifest] | None:
    """Of tenants' pods; None where that is not served, does not answer, or is not ours to read."""
    try:
        namespace = None if session.everywhere else session.namespace
        return await session.cluster.list(kind, namespace, labels={names.LABEL_NAME: "*"})
    except ApiError:
        return None
