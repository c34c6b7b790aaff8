"""Lists: tenants, stores, and who is where and why."""

from __future__ import annotations

from datetime import UTC, datetime

from provider.api import kinds
from provider.cli import listing, output
from provider.cli.format import Format
from provider.cli.session import Session


async def get(session: Session, form: Format) -> int:
    """A line for each tenant."""
    found = [listing.tenant(each, datetime.now(UTC)) for each in await session.tenants()]
    columns = listing.TENANTS if session.everywhere else listing.TENANTS[1:]
    output.rows(found, columns, form, f"there is no tenant in {session.where}")
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
