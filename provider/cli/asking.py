"""What `kamaji`'s commands have in common: the words that they take, the way to the API server, and how they end.

What a command does is in `commands`, a part of which is imported when one runs: help needs no Kubernetes client.

Exit status: 0 done or yes, 1 no (not ready, not fit, something would change), 2 wrong use, 3 no answer from the API server.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from provider.cli import completing
from provider.cli.format import Format
from provider.cli.trouble import INTERRUPTED, NO_ANSWER, WRONG_USE, Trouble

if TYPE_CHECKING:
    from provider.cli.session import Session

Tenant = Annotated[
    str,
    typer.Argument(
        metavar="[NAMESPACE/]NAME",
        help="a TenantControlPlane",
        show_default=False,
        autocompletion=completing.tenants,
    ),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="table, json or yaml")]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        help="where bare names are; else as the context says",
        autocompletion=completing.namespaces,
    ),
]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="in all namespaces")]
Wait = Annotated[str, typer.Option(metavar="TIME", help="for how long it is followed: 90s, 15m, 2h; 0s: only begun")]


@dataclass(frozen=True)
class Access:
    """Options before the command."""

    kubeconfig: str | None
    context: str | None


def ask(
    context: typer.Context,
    room: str,
    command: Callable[[Any, Session], Awaitable[int]],
    namespace: str | None = None,
    *,
    everywhere: bool = False,
) -> None:
    """Connect, run the one of that room of `commands`, and end with its status, or with a sentence."""
    from provider.cluster import spare

    spare.imports()
    from provider.cli.session import Where, opened
    from provider.cluster.errors import ApiError, Forbidden, Refused, Unauthorized

    do = import_module(f"provider.cli.commands.{room}")
    said: Access = context.obj
    where = Where(kubeconfig=said.kubeconfig, context=said.context, namespace=namespace, everywhere=everywhere)

    async def answered() -> int:
        async with opened(where) as session:
            return await command(do, session)

    try:
        raise typer.Exit(asyncio.run(answered()))
    except Trouble as trouble:
        end(str(trouble), trouble.status)
    except (Forbidden, Unauthorized) as error:
        end(f"you are not allowed to: {error.message}", NO_ANSWER)
    except Refused as error:
        end(f"the API server refuses it: {error.message}", WRONG_USE)
    except ApiError as error:
        end(f"no answer: {error.message}", NO_ANSWER)
    except BrokenPipeError:
        unread()
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        end("stopped", INTERRUPTED)


def unread() -> None:
    """Whoever reads standard output has seen enough: what was written for him and is not yet out goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end(sentence: str, status: int) -> NoReturn:
    """Say it where errors are read, and end."""
    print(f"kamaji: {sentence}", file=sys.stderr)
    raise typer.Exit(status)
