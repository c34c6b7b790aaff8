"""What Jobs of ours run: `snapshot`, `keep`, `backup`, `restore` beside a store or a tenant; `uninstall`, which Helm asks.

Added by `__main__`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from provider.api.bucket import AUTHORITY, IDENTITY, SECRET, SOMEWHERE


def add_to(commands: Any) -> None:
    """All of them, with their arguments; `do` of what is parsed does the work and returns the exit status."""
    _add_snapshots(commands)
    _add_archiving(commands)
    _add_leaving(commands)


def _add_snapshots(commands: Any) -> None:
    """What Jobs of a pool do beside its etcd."""
    snapshot = commands.add_parser("snapshot", help="write a snapshot of an etcd to a file")
    snapshot.add_argument("--endpoint", required=True, help="host:port of the member to take it from")
    snapshot.add_argument("--output", type=Path, required=True, help="file to write; one that is there is replaced")
    snapshot.add_argument("--note", type=Path, help="file to write what the etcd held into")
    snapshot.set_defaults(do=_snapshot)
    keep = commands.add_parser("keep", help="keep a snapshot of which an etcd was made that runs here")
    keep.add_argument("--endpoint", required=True, help="host:port of that etcd")
    keep.add_argument("--file", type=Path, required=True, help="the snapshot")
    keep.add_argument("--note", type=Path, required=True, help="what the etcd held of which it was taken")
    place = keep.add_mutually_exclusive_group(required=True)
    place.add_argument("--folder", type=Path, help="folder to keep it in")
    _add_bucket(place, keep)
    keep.add_argument(
        "--s3-credentials", type=Path, help="folder with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ca.crt"
    )
    keep.add_argument("--retention", type=int, required=True, help="how many stay there")
    keep.add_argument("--report", type=Path, required=True, help="file to write what was kept into")
    keep.set_defaults(do=_keep)
    for each in (snapshot, keep):
        each.add_argument(
            "--credentials", type=Path, required=True, help="folder with root's tls.crt, tls.key and ca.crt"
        )


def _keep(parsed: argparse.Namespace) -> int:
    from provider.hosting.datastores.errors import StoreError
    from provider.hosting.datastores.etcd import keeping

    try:
        held = asyncio.run(keeping.checked(parsed.endpoint, parsed.credentials, parsed.note))
        kept = keeping.kept(parsed.file, _place(parsed), parsed.retention, held)
        parsed.report.write_text(kept.written())
    except (StoreError, OSError) as error:
        raise ValueError(f"the snapshot is not kept: {error}") from error
    where = parsed.folder or f"bucket {parsed.bucket}"
    print(f"{kept.name} is in {where}: it restores, with {kept.keys} keys at revision {kept.revision}")
    return 0


def _place(parsed: argparse.Namespace) -> Any:
    from provider.hosting.datastores.etcd import keeping

    if parsed.folder:
        return keeping.Folder(parsed.folder)
    from provider.hosting.datastores import bucket
    from provider.hosting.datastores.bucket import address

    keys = None
    if folder := parsed.s3_credentials:
        keys = address.Keys.of({each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()})
        if keys is None:
            raise ValueError(f"the Secret in {folder} has no {IDENTITY} and {SECRET}: put them into it")
        if (folder / AUTHORITY).exists():
            bucket.trusting(folder / AUTHORITY)
    place = address.Address(
        bucket=parsed.bucket, folder=parsed.prefix, region=parsed.region, endpoint=parsed.s3_endpoint, keys=keys
    )
    return bucket.Bucket(place)


def _add_archiving(commands: Any) -> None:
    """What Jobs of TenantBackups and TenantRestores run."""
    backup = commands.add_parser("backup", help="write one tenant to a file, sealed with a key")
    restore = commands.add_parser("restore", help="make a tenant of such a file")
    for each in (backup, restore):
        each.add_argument("--tenant", required=True, metavar="NAMESPACE/NAME", help="the TenantControlPlane")
        each.add_argument("--key-secret", required=True, help="Secret beside it whose `key` is 32 random bytes")
        each.add_argument("--report", type=Path, help="file for what came of it, as JSON")
        each.add_argument("--kubeconfig", help="reach the management cluster by this file (default: as a pod)")
        each.add_argument("--scratch", type=Path, help="folder for a copy of the file, where that is in a bucket")
        each.add_argument("--s3-secret", help="Secret beside the tenant with the keys of access to the bucket")
        _add_bucket(each, each)
    backup.add_argument("--output", type=Path, required=True, help="file to write; its folder is made")
    backup.add_argument("--keep", type=int, default=0, help="backups that stay in that folder (default all)")
    backup.set_defaults(do=_backup)
    restore.add_argument("--input", type=Path, required=True, help="file to read")
    restore.add_argument("--token", required=True, help="names this restore: the same again goes on with it")
    restore.add_argument("--data-store", default="", help="of a new tenant (default: as in the backup)")
    restore.add_argument("--in-place", action="store_true", help="replace what the tenant holds")
    restore.add_argument("--drill", default="", help="TenantRestore with which the tenant, which gets no pods, goes")
    restore.set_defaults(do=_restore)


def _add_bucket(place: Any, more: Any) -> None:
    """Where files lie that are not in a folder. `place`: one of two that are named."""
    place.add_argument("--bucket", help="bucket of an S3 API in which the file is")
    more.add_argument("--prefix", default="", help="folder of the bucket")
    more.add_argument("--region", default=SOMEWHERE, help="of the bucket")
    more.add_argument("--s3-endpoint", help="URL of the S3 API (default: AWS's of the region)")


def _backup(parsed: argparse.Namespace) -> int:
    from provider.hosting.reconcile.archiving import work

    return asyncio.run(work.backup(parsed, os.environ, partial(_archive, parsed, parsed.output)))


def _restore(parsed: argparse.Namespace) -> int:
    from provider.hosting.reconcile.archiving import work

    return asyncio.run(work.restore(parsed, os.environ, partial(_archive, parsed, parsed.input)))


async def _archive(parsed: argparse.Namespace, path: Path, cluster: Any) -> Any:
    """The place of a backup."""
    from provider.hosting.reconcile.archiving import places

    if not parsed.bucket:
        return places.Volume(path)
    from provider.hosting.datastores.bucket.address import Address
    from provider.hosting.reconcile.archiving import objects

    at = Address(bucket=parsed.bucket, folder=parsed.prefix, region=parsed.region, endpoint=parsed.s3_endpoint)
    namespace, name = parsed.tenant.partition("/")[0], PurePosixPath(path)
    return await objects.placed(cluster, namespace, parsed.s3_secret, at, name, parsed.scratch)


def _snapshot(parsed: argparse.Namespace) -> int:
    from provider.hosting.datastores.errors import StoreError
    from provider.hosting.datastores.etcd import snapshot

    try:
        size = asyncio.run(snapshot.written(parsed.endpoint, parsed.credentials, parsed.output, parsed.note))
    except (StoreError, OSError) as error:
        raise ValueError(f"no snapshot of {parsed.endpoint} was written to {parsed.output}: {error}") from error
    print(f"{size} bytes of {parsed.endpoint} are in {parsed.output}")
    return 0


def _add_leaving(commands: Any) -> None:
    """What stands before a release of Helm's that is to go."""
    uninstall = commands.add_parser(
        "uninstall",
        help="say whether the provider may go; deletes nothing",
        description="Exit status: 0 there is no tenant, 1 there are some, 3 it cannot be told.",
    )
    uninstall.add_argument("--release", required=True, metavar="NAMESPACE/NAME", help="Helm's, which is about to go")
    uninstall.add_argument("--revision", required=True, help="of that, to which it can be taken back")
    uninstall.add_argument("--patience", type=float, default=30.0, help="seconds until an answer is given up")
    uninstall.add_argument("--kubeconfig", help="reach the management cluster by this file (default: as a pod)")
    uninstall.set_defaults(do=_uninstall)


def _uninstall(parsed: argparse.Namespace) -> int:
    from provider.cluster.errors import ApiError
    from provider.overview import leaving

    try:
        left = leaving.leaving(asyncio.run(_tenants(parsed.kubeconfig, parsed.patience)), None, "")
    except ApiError as error:
        print(f"It cannot be told whether there are tenants, so the provider stays: {error.message}", file=sys.stderr)
        return 3
    if left.allowed:
        print("There are no tenants.")
        return 0
    print("\n".join(leaving.to_helm(left, parsed.release, parsed.revision)))
    return 1


async def _tenants(kubeconfig: str | None, patience: float) -> dict[Any, list[Any]]:
    """All there are, by kind. A right is in force a moment after it was given, so who is refused asks again."""
    from provider.cluster import connect
    from provider.cluster.errors import ApiError, NotFound
    from provider.overview.leaving import TENANTS

    cluster = await connect.from_file(kubeconfig) if kubeconfig else await connect.in_cluster()
    loop = asyncio.get_running_loop()
    last = loop.time() + patience
    found: dict[Any, list[Any]] = {}
    try:
        while len(found) < len(TENANTS):
            kind = TENANTS[len(found)]
            try:
                found[kind] = await cluster.list(kind)
            except NotFound:  # the kind is not there, or is no more
                found[kind] = []
            except ApiError:
                if loop.time() > last:
                    raise
                await asyncio.sleep(0.5)
        return found
    finally:
        await cluster.close()
