"""What a file would change, in sentences or as diffs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from provider.cli import files, output, reading, sentences
from provider.cli import plan as planned
from provider.cli.format import Format
from provider.cli.session import Session
from provider.cli.trouble import ASKED_AND_NO


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
        print("\n".join(planned.difference(change)))
    return ASKED_AND_NO if changes else 0


async def _plans(session: Session, file: str) -> AsyncIterator[planned.Plan]:
    wanted = planned.read(files.text(file), file)
    settings = await reading.settings(session)
    for each in wanted:
        yield await planned.planned(session, each, settings, datetime.now(UTC))
