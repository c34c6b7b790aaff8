"""A move to another DataStore, asked for and followed."""

from __future__ import annotations

from provider.api import kinds
from provider.cli import duration
from provider.cli import moving as moves
from provider.cli.following import Progress, followed
from provider.cli.session import Session
from provider.cli.trouble import ASKED_AND_NO, Trouble


async def move(session: Session, tenant: str, store: str, wait: str) -> int:
    """To its end, or only begun."""
    patience, found = duration.read(wait), await session.tenant(tenant)
    namespace, name = found["metadata"]["namespace"], found["metadata"]["name"]
    source = await moves.begin(session, found, store)
    back = f"; `kamaji move {namespace}/{name} {source}` goes back" if source not in ("", store) else ""
    afterwards = f"`kamaji explain {namespace}/{name}` says how far it is{back}"
    if not patience:
        print(f"{namespace}/{name} is asked to move to DataStore {store}; {afterwards}")
        return 0

    async def look() -> Progress:
        seen = await session.cluster.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
        if seen is None:
            raise Trouble(f"{namespace}/{name} was deleted meanwhile", ASKED_AND_NO)
        return moves.judged(seen, store)

    print((await followed(look, patience, afterwards)).words)
    return 0
