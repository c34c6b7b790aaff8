"""The commands of `kamaji` that hand something out or change it. Part of `app`."""

from __future__ import annotations

from typing import Annotated

import typer

from provider.cli.asking import Namespace, Tenant, ask
from provider.cli.format import Ring

app = typer.Typer()


@app.command()
def kubeconfig(
    context: typer.Context,
    tenant: Tenant,
    namespace: Namespace = None,
    internal: Annotated[bool, typer.Option(help="by the Service's name inside the management cluster")] = False,
) -> None:
    """Print a tenant's admin kubeconfig."""
    ask(context, "access", lambda do, session: do.kubeconfig(session, tenant, internal=internal), namespace)


@app.command()
def merge(
    context: typer.Context,
    tenant: Tenant,
    namespace: Namespace = None,
    into: Annotated[
        str | None, typer.Option(metavar="FILE", help="else the first of $KUBECONFIG, or ~/.kube/config")
    ] = None,
    use: Annotated[bool, typer.Option(help="make it the current context")] = False,
) -> None:
    """Put a tenant's admin kubeconfig into your own, as a context of its own; what is there stays."""
    ask(context, "access", lambda do, session: do.merge(session, tenant, into, use=use), namespace)


@app.command("join-command")
def join_command(
    context: typer.Context,
    tenant: Tenant,
    namespace: Namespace = None,
    ttl: Annotated[str, typer.Option(help="how long its token is good for: 30m, 24h, 7d")] = "24h",
) -> None:
    """Print the `kubeadm join` line for one more worker, with a fresh token."""
    ask(context, "access", lambda do, session: do.join_command(session, tenant, ttl), namespace)


@app.command()
def sleep(context: typer.Context, tenant: Tenant, namespace: Namespace = None) -> None:
    """Let a tenant's pods go; its state stays."""
    ask(context, "change", lambda do, session: do.sleep(session, tenant), namespace)


@app.command()
def wake(
    context: typer.Context,
    tenant: Tenant,
    namespace: Namespace = None,
    replicas: Annotated[int | None, typer.Option(help="how many; else as many as it had")] = None,
) -> None:
    """Bring a tenant's pods back."""
    ask(context, "change", lambda do, session: do.wake(session, tenant, replicas), namespace)


@app.command()
def rotate(
    context: typer.Context,
    tenant: Tenant,
    what: Annotated[Ring, typer.Argument(help="which authority, key or credential")],
    namespace: Namespace = None,
) -> None:
    """Ask for another authority or key, in phases in which old and new are both trusted; or another admin kubeconfig."""
    ask(context, "change", lambda do, session: do.rotate(session, tenant, what), namespace)
