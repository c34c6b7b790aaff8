"""The commands of `kamaji` that begin what lasts, and follow it: moves, backups, restores. Part of `app`.

The provider does the work: Ctrl-C ends the look at it, and leaves it going on.
"""

from __future__ import annotations

from typing import Annotated

import typer

from provider.cli import completing
from provider.cli.asking import Everywhere, Namespace, Output, Tenant, Wait, ask
from provider.cli.format import Format

app = typer.Typer()

Store = Annotated[
    str,
    typer.Argument(metavar="STORE", help="a DataStore", show_default=False, autocompletion=completing.stores),
]
Backup = Annotated[
    str,
    typer.Argument(
        metavar="[NAMESPACE/]BACKUP", help="a TenantBackup", show_default=False, autocompletion=completing.backups
    ),
]
OfTenant = Annotated[
    str,
    typer.Argument(
        metavar="[[NAMESPACE/]NAME]", help="of one tenant", show_default=False, autocompletion=completing.tenants
    ),
]


@app.command()
def move(context: typer.Context, tenant: Tenant, store: Store, namespace: Namespace = None, wait: Wait = "15m") -> None:
    """Move a tenant to another DataStore while it is served, and follow that; Ctrl-C leaves the move going on."""
    ask(context, "moving", lambda do, session: do.move(session, tenant, store, wait), namespace)


@app.command()
def backup(
    context: typer.Context,
    tenant: Tenant,
    namespace: Namespace = None,
    volume: Annotated[str, typer.Option(metavar="CLAIM", help="where to, beside the provider")] = "",
    key: Annotated[str, typer.Option(metavar="SECRET", help="what seals it, beside the tenant")] = "",
    wait: Wait = "15m",
) -> None:
    """Back a tenant up, to where its schedule or its last backup put it, and follow that."""
    ask(context, "backup", lambda do, session: do.backup(session, tenant, volume, key, wait), namespace)


@app.command()
def backups(
    context: typer.Context,
    tenant: OfTenant = "",
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    output: Output = Format.TABLE,
) -> None:
    """List backups, the newest first: of what, how far, where."""
    ask(context, "backup", lambda do, session: do.backups(session, tenant, output), namespace, everywhere=everywhere)


@app.command()
def restore(
    context: typer.Context,
    tenant: Tenant,
    backup: Backup,
    namespace: Namespace = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="the tenant exists: replace all that it holds, its pods end meanwhile")
    ] = False,
    wait: Wait = "15m",
) -> None:
    """Make a tenant of a backup, under a name that is free or in place, and follow that."""
    ask(context, "backup", lambda do, session: do.restore(session, tenant, backup, wait, in_place=in_place), namespace)
