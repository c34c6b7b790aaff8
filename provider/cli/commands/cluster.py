"""Whether a management cluster is fit."""

from __future__ import annotations

from datetime import UTC, datetime

from provider.cli import checks, output, reading
from provider.cli import doctor as examining
from provider.cli.format import Format
from provider.cli.session import Session
from provider.cli.trouble import ASKED_AND_NO


async def doctor(session: Session, form: Format) -> int:
    """A line for each question; 1 when it is not."""
    found = await examining.checked(session, lambda: datetime.now(UTC), await reading.settings(session))
    output.rows([each.row() for each in found], checks.COLUMNS, form, "")
    return ASKED_AND_NO if any(each.verdict == "bad" for each in found) else 0
