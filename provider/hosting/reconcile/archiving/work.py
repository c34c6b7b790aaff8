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
from provider.cluster.errors import ApiError
from provider.hosting.backup.errors import BackupUnreadable
from provider.hosting.datastores.errors import StoreError
from provider.hosting.reconcile.archiving import Declined, NotYet, bringing, taking
from provider.hosting.reconcile.context import Context, alone
from provider.settings import Settings

DONE, NOT_NOW, FOR_GOOD = 0, 1, 2
Work = Callable[[Context], Awaitable[dict[str, Any]]]


async def backup(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """`python -m provider backup`."""
    namespace, _, tenant = parsed.tenant.partition("/")
    order = taking.Order(
        namespace=namespace, tenant=tenant, key_secret=parsed.key_secret, output=parsed.output, keep=parsed.keep
    )
    return await _worked(parsed, environment, lambda context: taking.taken(context, order))


async def restore(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """`python -m provider restore`."""
    namespace, _, tenant = parsed.tenant.partition("/")
    order = bringing.Order(
        namespace=namespace,
        tenant=tenant,
        key_secret=parsed.key_secret,
        path=parsed.input,
        token=parsed.token,
        data_store=parsed.data_store,
        in_place=parsed.in_place,
    )
    return await _worked(parsed, environment, lambda context: bringing.brought(context, order))


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
    except (BackupUnreadable, Declined) as error:
        return _failed(error, FOR_GOOD)
    except (NotYet, StoreError, ApiError, OSError) as error:
        return _failed(error, NOT_NOW)
    return DONE


def _failed(error: Exception, status: int) -> int:
    print(error, file=sys.stderr)
    return status
