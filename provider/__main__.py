"""Command line of the provider: `run` in a pod, `isolation` beside it, `crds` on a desk. Knows both rooms and the environment.

`python -m provider run` is the container's entry point. A second replica waits for the Lease and takes over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provider import jobs
from provider.settings import GATES, Settings

if TYPE_CHECKING:
    import kopf

    from provider.cluster.runtime import Runtime

ROOMS = ("hosting", "capi")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and do; the exit status."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.do(parsed))
    except ValueError as error:
        print(f"capi-kamaji: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="capi-kamaji", description="Hosted control planes for Kubernetes")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="reconcile until stopped")
    run.add_argument("--rooms", help="which rooms to run, comma-separated: hosting, capi (default both)")
    run.add_argument("--namespace", help="watch only this namespace (default all)")
    run.add_argument(
        "--watch-filter", help="watch only objects whose label cluster.x-k8s.io/watch-filter has this value"
    )
    run.add_argument("--feature-gates", help=f"Gate=true, comma-separated; gates: {', '.join(GATES)} (default all off)")
    run.add_argument("--kubeconfig", help="reach the management cluster by this file (default: as a pod)")
    run.set_defaults(do=_run)
    isolation = commands.add_parser(
        "isolation",
        help="try every tenant's own credentials at what is not its own, in its stores, and print what came of it",
        description="Exit status: 0 all was refused, 1 something was let through, 3 something could not be asked.",
    )
    isolation.add_argument("tenants", nargs="*", metavar="NAMESPACE/NAME", help="only these (default all)")
    isolation.add_argument("--kubeconfig", help="reach the management cluster by this file (default: as a pod)")
    isolation.add_argument("-o", "--output", choices=("table", "json"), default="table")
    isolation.set_defaults(do=_isolation)
    crds = commands.add_parser("crds", help="write the CustomResourceDefinitions")
    crds.add_argument("--output", type=Path, required=True, help="folder to write them to")
    crds.set_defaults(do=_crds)
    jobs.add_to(commands)
    return parser


def _crds(parsed: argparse.Namespace) -> int:
    from provider.api import crd, served
    from provider.capi import model

    for name, text in crd.files([*served.KINDS, *model.KINDS]).items():
        path: Path = parsed.output / name
        path.write_text(text)
        print(path)
    return 0


def _isolation(parsed: argparse.Namespace) -> int:
    from provider.hosting.reconcile import isolation

    async def rows() -> list[isolation.Row]:
        from provider.cluster import connect
        from provider.hosting.reconcile import context

        cluster = await connect.from_file(parsed.kubeconfig) if parsed.kubeconfig else await connect.in_cluster()
        try:
            return await isolation.table(context.alone(cluster, Settings.from_environment(os.environ)), parsed.tenants)
        finally:
            await cluster.close()

    found = asyncio.run(rows())
    print(json.dumps([each.said() for each in found], indent=2) if parsed.output == "json" else isolation.text(found))
    if any(answer.reached for each in found for answer in each.answers):
        return 1
    return 0 if all(each.isolated for each in found) else 3


def _run(parsed: argparse.Namespace) -> int:
    settings = Settings.from_environment(os.environ)
    given = {
        "rooms": parsed.rooms,
        "watch_namespace": parsed.namespace,
        "watch_filter": parsed.watch_filter,
        "feature_gates": parsed.feature_gates,
    }
    settings = replace(settings, **{key: value for key, value in given.items() if value is not None})
    if unknown := set(settings.rooms.split(",")) - set(ROOMS):
        raise ValueError(f"--rooms: there is no room {', '.join(sorted(unknown))}; there are {', '.join(ROOMS)}")
    _ = settings.gates  # said before anything starts
    return asyncio.run(_operate(settings, parsed.kubeconfig))


async def _operate(settings: Settings, kubeconfig: str | None) -> int:
    """Run kopf's watches, the election and the rooms side by side; the first that ends ends all."""
    from provider.cluster import spare

    spare.imports()
    import kopf

    from provider import telemetry
    from provider.cluster import connect, election
    from provider.cluster.runtime import Runtime

    telemetry.start(settings)
    cluster = await connect.from_file(kubeconfig) if kubeconfig else await connect.in_cluster()
    leader = asyncio.Event()
    runtime = Runtime(cluster=cluster, settings=settings, leader=leader, clock=lambda: datetime.now(UTC))
    registry = kopf.OperatorRegistry()
    rooms = [_room(name, runtime, registry) for name in settings.rooms.split(",")]
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(each) for each in rooms]
        work.append(tasks.create_task(election.lead(cluster, settings, leader)))
        work.append(tasks.create_task(_leads(leader)))
        await _watch(registry, settings, kubeconfig)
        for each in work:
            each.cancel()
    await cluster.close()
    return 0


async def _leads(leader: asyncio.Event) -> None:
    """Tell that this replica acts; one that loses the lead ends."""
    from provider import telemetry

    await leader.wait()
    telemetry.LEADER.set(1)


def _room(name: str, runtime: Runtime, registry: kopf.OperatorRegistry) -> Coroutine[Any, Any, None]:
    if name == "hosting":
        from provider.hosting import handlers as hosting

        return hosting.room(runtime, registry)
    from provider.capi import handlers as capi

    return capi.room(runtime, registry)


def _no_differences() -> kopf.DiffBaseStorage:
    """Our doors only say which object moved; kopf would copy and compare each as a whole."""
    import kopf

    class Nothing(kopf.DiffBaseStorage):
        def build(self, **_: Any) -> kopf.BodyEssence:
            return kopf.BodyEssence()

        def fetch(self, **_: Any) -> None:
            return None

        def store(self, **_: Any) -> None:
            return None

    return Nothing()


async def _watch(registry: kopf.OperatorRegistry, settings: Settings, kubeconfig: str | None) -> None:
    """kopf's part: watches of our kinds and the health endpoint, until a signal comes."""
    import kopf

    kopf_settings = kopf.OperatorSettings()
    kopf_settings.posting.enabled = False
    kopf_settings.persistence.diffbase_storage = _no_differences()
    if kubeconfig:
        os.environ["KUBECONFIG"] = kubeconfig
    login = kopf.login_with_kubeconfig if kubeconfig else kopf.login_with_service_account
    kopf.on.login(registry=registry)(login)
    await kopf.operator(
        registry=registry,
        settings=kopf_settings,
        # kopf would ask for the user's name, which a container's user id has not; the type is kopf's own NewType of str.
        identity=settings.identity,  # type: ignore[arg-type]
        standalone=True,
        clusterwide=not settings.watch_namespace,
        namespaces=[settings.watch_namespace] if settings.watch_namespace else [],
        liveness_endpoint=f"http://0.0.0.0:{settings.health_port}/healthz",
    )


if __name__ == "__main__":
    sys.exit(main())
