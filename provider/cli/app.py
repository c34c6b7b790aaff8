"""The arguments of `kamaji`'s commands, and how a command ends. Entry point of `kamaji` and `kubectl-kamaji`.

What a command does is in `commands`, which is imported when one runs: help and completion need no Kubernetes client.

Exit status: 0 done or yes, 1 no (not ready, not fit, something would change), 2 wrong use, 3 no answer from the API server.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from provider.cli.format import Format, Ring
from provider.cli.trouble import INTERRUPTED, NO_ANSWER, WRONG_USE, Trouble

if TYPE_CHECKING:
    from provider.cli.session import Session

HELP = "Hosted control planes: what runs, why something does not, and what a change would do."
app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Tenant = Annotated[str, typer.Argument(metavar="[NAMESPACE/]NAME", help="a TenantControlPlane", show_default=False)]
Output = Annotated[Format, typer.Option("--output", "-o", help="table, json or yaml")]
File = Annotated[str, typer.Argument(metavar="FILE", help="YAML with TenantControlPlanes; - for standard input")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="where bare names are; else as the context says")
]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="in all namespaces")]


@dataclass(frozen=True)
class Access:
    """Options before the command."""

    kubeconfig: str | None
    context: str | None


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
    _ask(context, lambda do, session: do.get(session, output), namespace, everywhere=everywhere)


@app.command()
def stores(
    context: typer.Context,
    placements: Annotated[bool, typer.Option(help="why each tenant is in the store it is in")] = False,
    moves: Annotated[bool, typer.Option(help="which tenants their pools move to another store, or would")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List DataStores: who answers, who is in them, how much goes in still."""

    which = "moves" if moves else "placements" if placements else "stores"
    _ask(context, lambda do, session: getattr(do, which)(session, output), everywhere=True)


@app.command()
def explain(context: typer.Context, tenant: Tenant, namespace: Namespace = None, output: Output = Format.TABLE) -> None:
    """Say why a tenant is not ready, and what to do next. Exit status 1 when there is something to say."""
    _ask(context, lambda do, session: do.explain(session, tenant, output), namespace)


@app.command()
def tree(context: typer.Context, tenant: Tenant, namespace: Namespace = None, output: Output = Format.TABLE) -> None:
    """Show every object that a tenant consists of, here and inside it, each with its health."""
    _ask(context, lambda do, session: do.tree(session, tenant, output), namespace)


@app.command()
def certificates(
    context: typer.Context, tenant: Tenant, namespace: Namespace = None, output: Output = Format.TABLE
) -> None:
    """List a tenant's certificates, the first to expire first; never a private key."""
    _ask(context, lambda do, session: do.certificates(session, tenant, output), namespace)


@app.command()
def kubeconfig(
    context: typer.Context,
    tenant: Tenant,
    namespace: Namespace = None,
    internal: Annotated[bool, typer.Option(help="by the Service's name inside the management cluster")] = False,
) -> None:
    """Print a tenant's admin kubeconfig."""
    _ask(context, lambda do, session: do.kubeconfig(session, tenant, internal=internal), namespace)


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
    _ask(context, lambda do, session: do.merge(session, tenant, into, use=use), namespace)


@app.command("join-command")
def join_command(
    context: typer.Context,
    tenant: Tenant,
    namespace: Namespace = None,
    ttl: Annotated[str, typer.Option(help="how long its token is good for: 30m, 24h, 7d")] = "24h",
) -> None:
    """Print the `kubeadm join` line for one more worker, with a fresh token."""
    _ask(context, lambda do, session: do.join_command(session, tenant, ttl), namespace)


@app.command()
def sleep(context: typer.Context, tenant: Tenant, namespace: Namespace = None) -> None:
    """Let a tenant's pods go; its state stays."""
    _ask(context, lambda do, session: do.sleep(session, tenant), namespace)


@app.command()
def wake(
    context: typer.Context,
    tenant: Tenant,
    namespace: Namespace = None,
    replicas: Annotated[int | None, typer.Option(help="how many; else as many as it had")] = None,
) -> None:
    """Bring a tenant's pods back."""
    _ask(context, lambda do, session: do.wake(session, tenant, replicas), namespace)


@app.command()
def rotate(
    context: typer.Context,
    tenant: Tenant,
    what: Annotated[Ring, typer.Argument(help="which authority or key")],
    namespace: Namespace = None,
) -> None:
    """Ask for another authority or key, in phases in which old and new are both trusted."""
    _ask(context, lambda do, session: do.rotate(session, tenant, what), namespace)


@app.command()
def plan(context: typer.Context, file: File, namespace: Namespace = None, output: Output = Format.TABLE) -> None:
    """Say what a changed TenantControlPlane would change, which pods it replaces, and what clients will feel."""
    _ask(context, lambda do, session: do.plan(session, file, output), namespace)


@app.command()
def diff(context: typer.Context, file: File, namespace: Namespace = None) -> None:
    """Show the same object by object, as a diff; of Secrets only which values change. Exit status 1 when there is one."""
    _ask(context, lambda do, session: do.diff(session, file), namespace)


@app.command()
def doctor(context: typer.Context, namespace: Namespace = None, output: Output = Format.TABLE) -> None:
    """Ask whether this management cluster is fit. Exit status 1 when it is not."""
    _ask(context, lambda do, session: do.doctor(session, output), namespace)


def main() -> None:
    """Run, and end with a sentence and an exit status that mean something."""
    try:
        app()
    except BrokenPipeError:  # whoever read us has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _ask(
    context: typer.Context,
    command: Callable[[Any, Session], Awaitable[int]],
    namespace: str | None = None,
    *,
    everywhere: bool = False,
) -> None:
    """Connect, run the one of `commands`, and end with its status, or with a sentence."""
    from provider.cli import commands
    from provider.cli.session import Where, opened
    from provider.cluster.errors import ApiError, Forbidden, Refused, Unauthorized

    said: Access = context.obj
    where = Where(kubeconfig=said.kubeconfig, context=said.context, namespace=namespace, everywhere=everywhere)

    async def answered() -> int:
        async with opened(where) as session:
            return await command(commands, session)

    try:
        raise typer.Exit(asyncio.run(answered()))
    except Trouble as trouble:
        _end(str(trouble), trouble.status)
    except (Forbidden, Unauthorized) as error:
        _end(f"you are not allowed to: {error.message}", NO_ANSWER)
    except Refused as error:
        _end(f"the API server refuses it: {error.message}", WRONG_USE)
    except ApiError as error:
        _end(f"no answer: {error.message}", NO_ANSWER)
    except KeyboardInterrupt:
        _end("stopped", INTERRUPTED)


def _end(sentence: str, status: int) -> NoReturn:
    print(f"kamaji: {sentence}", file=sys.stderr)
    raise typer.Exit(status)
