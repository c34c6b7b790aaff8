"""What is said of one tenant: why it is not ready, what it consists of, what its Secrets prove, and whether it is apart."""

from __future__ import annotations

from datetime import UTC, datetime

from provider.api import kinds
from provider.cli import checks, output, provenance, reading, sentences
from provider.cli import isolation as promised
from provider.cli.format import Format
from provider.cli.session import Session
from provider.cli.trouble import ASKED_AND_NO
from provider.cluster.errors import Forbidden
from provider.overview import certificates as dated
from provider.overview import explain as explaining
from provider.overview import tree as drawing


async def explain(session: Session, tenant: str, form: Format) -> int:
    """Why it is not ready; 1 when there is something to say."""
    found = await session.tenant(tenant)
    try:
        events = await session.cluster.list(kinds.EVENT, found["metadata"]["namespace"])
    except Forbidden:
        events = []
    explanation = explaining.tenant(found, events, datetime.now(UTC))
    if form is Format.TABLE:
        sentences.explanation(explanation)
    else:
        output.data(explanation.said(), form)
    return 0 if explanation.ready else ASKED_AND_NO


async def tree(session: Session, tenant: str, form: Format) -> int:
    """Its objects, and how they do."""
    found, now = await session.tenant(tenant), datetime.now(UTC)
    here = drawing.branches(await reading.here(session, found), now)
    inside, why = await reading.inside(session, found)
    there = drawing.branches(inside, now)
    root = f"TenantControlPlane {found['metadata']['namespace']}/{found['metadata']['name']}"
    if form is not Format.TABLE:
        said = {"name": root, "here": [each.said() for each in here], "inside": [each.said() for each in there]}
        output.data(said | ({"insideUnknown": why} if why else {}), form)
        return 0
    output.console().print(sentences.tree(root, here))
    output.console().print(sentences.tree(f"inside it: not known, {why}" if why else "inside it", there))
    return 0


async def certificates(session: Session, tenant: str, form: Format, *, graph: bool) -> int:
    """Its certificates with their ages, as lines or as what has signed what."""
    found, now = await session.tenant(tenant), datetime.now(UTC)
    secrets = await reading.secrets(session, found)
    if graph:
        nodes = provenance.graph(secrets)
        if form is Format.TABLE:
            output.console().print(provenance.drawn(f"certificates of {tenant}", nodes, now))
        else:
            output.data([each.said(now) for each in nodes], form)
        return 0
    rows = dated.rows(secrets, now)
    output.rows(rows, dated.COLUMNS, form, f"{tenant} has no certificates yet")
    return 0


async def isolation(session: Session, tenant: str, form: Format) -> int:
    """Which promises of isolation hold; 1 when one does not."""
    found = await session.tenant(tenant)
    answers = await promised.checked(session, found, datetime.now(UTC), await reading.settings(session))
    output.rows([each.row() for each in answers], checks.COLUMNS, form, "")
    return ASKED_AND_NO if any(each.verdict == "bad" for each in answers) else 0
