"""The isolation table: every tenant's own credentials, tried now, in every store that may hold its keys.

Called by the command `isolation` of `__main__`. It writes nothing, neither to the management cluster nor to a store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from provider.api import kinds
from provider.api.verdict import Verdict
from provider.hosting.datastores.errors import StoreError
from provider.hosting.datastores.shape import Answer
from provider.hosting.observe import datastore
from provider.hosting.observe import tenant as observe
from provider.hosting.reconcile import claims
from provider.hosting.reconcile.context import Context
from provider.hosting.storeview import claim_of
from provider.hosting.view import View
from provider.manifest import Manifest
from provider.manifest.condition import timestamp

AT_ONCE = 8  # tenants
PATIENCE = 30.0  # seconds for one tenant in one store
DENIED, ALLOWED, UNKNOWN = "denied", "ALLOWED", "not asked"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One tenant in one store."""

    tenant: str  # namespace/name
    store: str
    driver: str
    when: datetime
    answers: tuple[Answer, ...] = ()
    fault: str = ""  # why nothing was asked

    @property
    def isolated(self) -> bool:
        """Whether all was asked and refused."""
        return bool(self.answers) and not any(each.reached for each in self.answers)

    def said(self) -> dict[str, Any]:
        """For programs."""
        cells = [
            {"question": each.question, "verdict": ALLOWED if each.reached else DENIED, "reached": each.reached}
            for each in self.answers
        ]
        return {
            "tenant": self.tenant,
            "dataStore": self.store,
            "driver": self.driver,
            "when": timestamp(self.when),
            "isolated": self.isolated,
            "fault": self.fault,
            "questions": cells,
        }


async def table(context: Context, only: Iterable[str] = ()) -> list[Row]:
    """Of all tenants that have a place in a store, or of those named `namespace/name`; sorted by driver, store and tenant."""
    wanted, turns = frozenset(only), asyncio.Semaphore(AT_ONCE)
    found = [each for each in await context.cluster.list(kinds.TENANT_CONTROL_PLANE) if claim_of(each) is not None]
    asked = [each for each in found if not wanted or _name(each) in wanted]

    async def rows(raw: Manifest) -> list[Row]:
        async with turns:
            return await _rows(context, raw)

    answered = await asyncio.gather(*map(rows, asked))
    return sorted((row for some in answered for row in some), key=lambda row: (row.driver, row.store, row.tenant))


def text(rows: Iterable[Row]) -> str:
    """For people: a table a driver, a line a tenant, a column a question; below it what is wrong, in words."""
    blocks, faults = [], []
    for driver, group in groupby(rows, key=lambda row: row.driver):
        some = list(group)
        questions = list(dict.fromkeys(each.question for row in some for each in row.answers))
        lines = [["TENANT", "DATASTORE", "WHEN", *questions]]
        for row in some:
            verdicts = {each.question: ALLOWED if each.reached else DENIED for each in row.answers}
            cells = [verdicts.get(each, UNKNOWN) for each in questions] or [UNKNOWN]
            lines.append([row.tenant, row.store, timestamp(row.when), *cells])
            faults += [f"{row.tenant} in {row.store}: {each.reached}" for each in row.answers if each.reached]
            faults += [f"{row.tenant} in {row.store}: {UNKNOWN}: {row.fault}"] if row.fault else []
        blocks.append(f"{driver}\n{_columns(lines)}")
    return "\n\n".join([*blocks, *(["\n".join(faults)] if faults else [])]) or "no tenant has a place in a store"


async def _rows(context: Context, raw: Manifest) -> list[Row]:
    claim = claim_of(raw)
    assert claim is not None
    try:
        view = await observe.tenant(
            context.cluster, raw, settings=context.settings, now=context.clock(), mint=context.mint
        )
    except Verdict as verdict:
        return [
            Row(tenant=_name(raw), store=each, driver="", when=context.clock(), fault=verdict.message)
            for each in claim.stores
        ]
    return [await _row(context, view, each) for each in sorted(claim.stores)]


async def _row(context: Context, view: View, name: str) -> Row:
    store = await datastore.store(context.cluster, name)
    row = Row(tenant=_name(view.raw), store=name, driver=store.driver if store else "", when=context.clock())
    access = claims.access(view, store) if store else None
    if access is None or view.keyspace is None:
        return _fault(row, "the DataStore, or the tenant's own credentials for it, do not exist")
    try:
        async with asyncio.timeout(PATIENCE), context.dial(access) as opened:
            answers = await opened.asked(view.keyspace)
    except StoreError as error:
        return _fault(row, str(error))
    except TimeoutError:
        return _fault(row, f"it did not answer within {PATIENCE:.0f} seconds")
    return Row(tenant=row.tenant, store=name, driver=row.driver, when=context.clock(), answers=answers)


def _fault(row: Row, why: str) -> Row:
    return Row(tenant=row.tenant, store=row.store, driver=row.driver, when=row.when, fault=why)


def _name(raw: Manifest) -> str:
    return f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"


def _columns(lines: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=False)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip() for line in lines
    )
