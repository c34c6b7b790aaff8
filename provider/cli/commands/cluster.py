"""Whether a management cluster is fit, and whether the provider may leave it."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from rich.text import Text

from provider.api import kinds
from provider.api.kinds import Kind
from provider.cli import checks, output, reading
from provider.cli import doctor as examining
from provider.cli.format import Format
from provider.cli.session import Session
from provider.cli.trouble import ASKED_AND_NO, NO_ANSWER, Trouble
from provider.cluster.errors import Forbidden, NotFound, Unauthorized
from provider.manifest import Manifest
from provider.overview import leaving as going


async def doctor(session: Session, form: Format) -> int:
    """A line for each question; 1 when it is not. One that nobody answers is not asked eleven times."""
    with contextlib.suppress(Forbidden, Unauthorized):  # which it says where it asks for more
        await session.cluster.answers("/version")
    found = await examining.checked(session, lambda: datetime.now(UTC), await reading.settings(session))
    output.rows([each.row() for each in found], checks.COLUMNS, form, "")
    if all(each.verdict == "unsure" for each in found if each.question not in examining.OPEN):
        raise Trouble("you are not allowed to read what tells whether it is fit", NO_ANSWER)
    return ASKED_AND_NO if any(each.verdict == "bad" for each in found) else 0


async def uninstall(session: Session, form: Format) -> int:
    """What is there still, and what to do about it; 1 while there are tenants. Nothing is deleted."""
    namespace = (await reading.settings(session)).namespace
    found = {each: await _all(session, each) for each in (*going.TENANTS, *going.OTHERS)}
    deployment = await session.cluster.get(kinds.DEPLOYMENT, reading.DEPLOYMENT, namespace)
    left = going.leaving(found, deployment, namespace)
    if form is Format.TABLE:
        out = output.console()
        for line in left.sentences():
            out.print(Text(line), soft_wrap=line.startswith("    "))  # a command stays one line
    else:
        output.data(left.said(), form)
    return 0 if left.allowed else ASKED_AND_NO


async def _all(session: Session, kind: Kind) -> list[Manifest]:
    """None of a kind that is not there, or is no more."""
    try:
        return await session.cluster.list(kind)
    except NotFound:
        return []
