"""The commands of `kamaji` that only read, and all others' way in. Entry point of `kamaji` and `kubectl-kamaji`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from provider.cli import asking, changing, lasting
from provider.cli.asking import Access, Everywhere, Namespace, Output, Tenant, ask
from provider.cli.format import Format, Order

HELP = "Hosted control planes: what runs, why something does not, and what a change would do."
app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[str, typer.Argument(metavar="FILE", help="YAML with TenantControlPlanes; - for standard input")]


@app.callback()
def access(
    context: typer.Context,
    kubeconfig: Annotated[
        str | None, typer.Option(help="a kubeconfig file; else $KUBECONFIG or ~/.kube/config")
    ] = None,
    kube_context: Annotated[str | None, typer.Option("--context", help="a context of it; else the current one")] = None,
) -> None:
    """Where the management cluster is."""
    context.obj = Access(kubeconfig, kube_context)


@app.command()
def get(
    context: typer.Context, namespace: Namespace = None, everywhere: Everywhere = False, output: Output = Format.TABLE
) -> None:
    """List tenants: state, version, endpoint, store, usage, age."""
    ask(context, "fleet", lambda do, session: do.get(session, output), namespace, everywhere=everywhere)


@app.command()
def top(
    context: typer.Context,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    prices: Annotated[
        str | None, typer.Option(metavar="FILE", help="YAML with prices: adds what a month costs")
    ] = None,
    by: Annotated[Order, typer.Option(help="the most of it first")] = Order.NAME,
    output: Output = Format.TABLE,
) -> None:
    """List what each tenant takes: CPU, memory, bytes in its store, writes; and what that costs."""
    ask(context, "fleet", lambda do, session: do.top(session, prices, by, output), namespace, everywhere=everywhere)


@app.command()
def stores(
    context: typer.Context,
    placements: Annotated[bool, typer.Option(help="why each tenant is in the store it is in")] = False,
    moves: Annotated[bool, typer.Option(help="which tenants their pools move to another store, or would")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List DataStores: who answers, who is in them, how much goes in still."""
    which = "moves" if moves else "placements" if placements else "stores"
    ask(context, "fleet", lambda do, session: getattr(do, which)(session, output), everywhere=True)


@app.command()
def explain(context: typer.Context, tenant: Tenant, namespace: Namespace = None, output: Output = Format.TABLE) -> None:
    """Say why a tenant is not ready, and what to do next. Exit status 1 when there is something to say."""
    ask(context, "tenant", lambda do, session: do.explain(session, tenant, output), namespace)


@app.command()
def tree(context: typer.Context, tenant: Tenant, namespace: Namespace = None, output: Output = Format.TABLE) -> None:
    """Show every object that a tenant consists of, here and inside it, each with its health."""
    ask(context, "tenant", lambda do, session: do.tree(session, tenant, output), namespace)


@app.command()
def certificates(
    context: typer.Context,
    tenant: Tenant,
    namespace: Namespace = None,
    graph: Annotated[bool, typer.Option("--graph", help="which has signed which")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List a tenant's certificates, the first to expire first; never a private key."""
    ask(context, "tenant", lambda do, session: do.certificates(session, tenant, output, graph=graph), namespace)


@app.command()
def isolation(
    context: typer.Context, tenant: Tenant, namespace: Namespace = None, output: Output = Format.TABLE
) -> None:
    """Say which promises of isolation hold for a tenant. Exit status 1 when one does not."""
    ask(context, "tenant", lambda do, session: do.isolation(session, tenant, output), namespace)


@app.command()
def plan(context: typer.Context, file: File, namespace: Namespace = None, output: Output = Format.TABLE) -> None:
    """Say what a changed TenantControlPlane would change, which pods it replaces, and what clients will feel."""
    ask(context, "planning", lambda do, session: do.plan(session, file, output), namespace)


@app.command()
def diff(context: typer.Context, file: File, namespace: Namespace = None) -> None:
    """Show the same object by object, as a diff; of Secrets only which values change. Exit status 1 when there is one."""
    ask(context, "planning", lambda do, session: do.diff(session, file), namespace)


@app.command()
def doctor(context: typer.Context, namespace: Namespace = None, output: Output = Format.TABLE) -> None:
    """Ask whether this management cluster is fit. Exit status 1 when it is not."""
    ask(context, "cluster", lambda do, session: do.doctor(session, output), namespace)


@app.command()
def uninstall(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Say what has to go before the provider may, and how. Deletes nothing. Exit status 1 while there are tenants."""
    ask(context, "cluster", lambda do, session: do.uninstall(session, output), everywhere=True)


for each in (changing.app, lasting.app):
    app.add_typer(each)


def main() -> None:
    """Run, and end with a sentence and an exit status that mean something."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, so that what cannot be written is met here and not as Python ends
    except BrokenPipeError:
        asking.unread()
