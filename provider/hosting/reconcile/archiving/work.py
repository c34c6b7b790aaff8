"""The process of a Job: what its command line asks for, done once, told to the kubelet, and worth an exit status.

0: done. 1: not this time; the Job tries again. 2: another try would be the same.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.backup import errors
from provider.hosting.datastores.errors import BucketDenied, BucketMissing, BucketUnreachable, StoreError
from provider.hosting.reconcile.archiving import Declined, NotFound, NotYet, bringing, taking
from provider.hosting.reconcile.archiving.places import Place
from provider.hosting.reconcile.context import Context, alone
from provider.settings import Settings

DONE, NOT_NOW, FOR_GOOD = 0, 1, 2
Work = Callable[[Context], Awaitable[dict[str, Any]]]
Placed = Callable[[Cluster], Awaitable[Place]]
"""The place that the command line names, with what has to be read from the management cluster for it."""
REASONS: Mapping[type[Exception], str] = {
    errors.NoBackup: "NotABackup",
    errors.NewerFormat: "BackupTooNew",
    errors.WrongKey: "WrongKey",
    errors.CutShort: "BackupCutShort",
    errors.Altered: "BackupAltered",
    NotFound: "BackupNotFound",
    BucketMissing: "BucketNotFound",
    BucketDenied: "BucketDenied",
    BucketUnreachable: "BucketUnreachable",
}
"""What somebody has to mend, for the condition."""


async def backup(parsed: argparse.Namespace, environment: Mapping[str, str], placed: Placed) -> int:
    """`python -m provider backup`."""
    namespace, _, tenant = parsed.tenant.partition("/")

    async def work(context: Context) -> dict[str, Any]:
        place = await placed(context.cluster)
        order = taking.Order(
            namespace=namespace, tenant=tenant, key_secret=parsed.key_secret, place=place, keep=parsed.keep
        )
        return await taking.taken(context, order)

    return await _worked(parsed, environment, work)


async def restore(parsed: argparse.Namespace, environment: Mapping[str, str], placed: Placed) -> int:
    """`python -m provider restore`."""
    namespace, _, tenant = parsed.tenant.partition("/")

    async def work(context: Context) -> dict[str, Any]:
        order = bringing.Order(
            namespace=namespace,
            tenant=tenant,
            key_secret=parsed.key_secret,
            place=await placed(context.cluster),
            token=parsed.token,
            data_store=parsed.data_store,
            in_place=parsed.in_place,
            drill=parsed.drill,
        )
        return await bringing.brought(context, order)

    return await _worked(parsed, environment, work)


async def _worked(parsed: argparse.Namespace, environment: Mapping[str, str], work: Work) -> int:
    logging.basicConfig(level=logging.WARNING)
    try:
        cluster = await connect.from_file(parsed.kubeconfig) if parsed.kubeconfig else await connect.in_cluster()
        try:
            done = json.dumps(await work(alone(cluster, Settings.from_environment(environment))))
        finally:
            await cluster.close()
        print(done)
        if parsed.report:
            parsed.report.write_text(done)
    except (errors.BackupUnreadable, Declined) as error:
        return _failed(parsed, error, FOR_GOOD)
    except (NotYet, StoreError, ApiError, OSError) as error:
        return _failed(parsed, error, NOT_NOW)
    return DONE


def _failed(parsed: argparse.Namespace, error: Exception, status: int) -> int:
    print(error, file=sys.stderr)
    if parsed.report and (reason := REASONS.get(type(error))):
        parsed.report.write_text(json.dumps({"reason": reason, "message": str(error)}))
    return status
