"""Ways into a tenant: its admin kubeconfig, printed or merged, and the line by which a worker joins."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from provider.cli import duration, joining, reading
from provider.cli import kubeconfig as admin
from provider.cli.session import MANAGER, Session


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
    life = duration.read(ttl)
    found = await session.tenant(tenant)
    content = await admin.content(session, found)
    token = joining.token()
    async with reading.tenant(session, found) as inside:
        await inside.apply(joining.secret(token, life, datetime.now(UTC)), manager=MANAGER)
    print(joining.command(content, token))
    return 0
