"""Snapshots of a store by the clock: a CronJob whose pod takes one, restores it, looks at what came of it, and keeps it.

One after the other in a pod: the provider's image writes the snapshot and what the store held; etcd's own tool restores it; an
etcd runs on that, for the pod alone; the provider's image holds the one against the other and only then keeps the file. What is
no good is thus never kept, and lets no older one go. Nobody's data is on a network but by TLS, as root.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names, poolnames
from provider.api.datastorepool import Snapshots
from provider.hosting.desired.pool import configuration, ownership, snapshot
from provider.hosting.desired.pool.configuration import SERVER
from provider.hosting.desired.pool.members import image
from provider.hosting.desired.pool.network import CLIENT_PORT, PEER_PORT, endpoints
from provider.hosting.desired.pool.snapshot import CREDENTIALS
from provider.hosting.desired.pool.volume import rights
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, pod

SCRATCH = "/scratch"
KEPT = "/snapshots"
FILE, NOTE, RESTORED = f"{SCRATCH}/snapshot.db", f"{SCRATCH}/held.json", f"{SCRATCH}/restored"
HERE = pod.mount("scratch", SCRATCH, read_only=False)
REPORT = "/dev/termination-log"
NAME = "check"
CLIENT, PEER = f"https://127.0.0.1:{CLIENT_PORT}", f"http://127.0.0.1:{PEER_PORT}"
TRIES = 2
LATE = 3600  # seconds by which a snapshot may begin late, and which it may take
LOGS = 2**30  # bytes beside two databases: etcd's log of a restored one, and what tools write beside it


def build(view: PoolView) -> Iterator[Manifest]:
    """A CronJob where snapshots are asked for and the provider's image is known."""
    asked = view.pool.spec.snapshots
    if asked is None or not view.image:
        return
    labels = {names.LABEL_PROJECT: names.PROJECT, names.LABEL_POOL: view.pool.name}
    job = {
        "activeDeadlineSeconds": LATE,
        "backoffLimit": TRIES,
        # Not the store's own label: by that the members' Service finds its pods.
        "template": {"metadata": {"labels": labels | {names.LABEL_SNAPSHOTS: view.name}}, "spec": _pod(view, asked)},
    }
    spec = {
        "schedule": asked.schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": LATE,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {"metadata": {"labels": ownership.labels(view)}, "spec": job},
    }
    yield ownership.namespaced(view, kinds.CRON_JOB, poolnames.snapshots(view.name), {"spec": spec})


def _pod(view: PoolView, asked: Snapshots) -> dict[str, Any]:
    limit = 2 * configuration.quota(view.pool.spec.storage.size) + LOGS
    return pod.of_job(
        [_keep(view, asked)],
        [
            {"name": "scratch", "emptyDir": {"sizeLimit": str(limit)}},
            {"name": "root", "secret": {"secretName": poolnames.root_secret(view.name), "defaultMode": 0o440}},
            {"name": "server", "secret": {"secretName": poolnames.server_secret(view.name), "defaultMode": 0o440}},
            *_where(asked),
        ],
        automountServiceAccountToken=False,
        initContainers=[_write(view), _restore(view), _etcd(view)],
        securityContext=rights(on_node=False),
    )


def _where(asked: Snapshots) -> list[dict[str, Any]]:
    """The volume of the place: one that files are put on, or the Secret with the keys of a bucket."""
    if asked.to.volume is not None:
        return [{"name": "kept", "persistentVolumeClaim": {"claimName": asked.to.volume.claim_name}}]
    if asked.to.s3 is not None and asked.to.s3.secret_name:
        return [{"name": "kept", "secret": {"secretName": asked.to.s3.secret_name, "defaultMode": 0o440}}]
    return []


def _to(view: PoolView, asked: Snapshots) -> list[str]:
    """The place as the command is told it."""
    place = asked.to.s3
    if place is None:
        return [f"--folder={KEPT}/{view.name}"]
    said = [f"--bucket={place.bucket}", f"--prefix={'/'.join(filter(None, (place.prefix, view.name)))}"]
    said += [f"--region={place.region}"]
    said += [f"--s3-endpoint={place.endpoint}"] if place.endpoint else []
    return said + ([f"--s3-credentials={KEPT}"] if place.secret_name else [])


def _write(view: PoolView) -> dict[str, Any]:
    args = ["snapshot", f"--endpoint={endpoints(view)[0]}", f"--credentials={CREDENTIALS}"]
    return _ours(view, "write", [*args, f"--output={FILE}", f"--note={NOTE}"])


def _restore(view: PoolView) -> dict[str, Any]:
    said = ["etcdutl", "snapshot", "restore", FILE, f"--data-dir={RESTORED}", f"--name={NAME}"]
    said += [f"--initial-cluster={NAME}={PEER}", f"--initial-advertise-peer-urls={PEER}"]
    return _etcds(view, "restore", said)


def _etcd(view: PoolView) -> dict[str, Any]:
    """It shows the store's own certificate, which is also one for loopback, and asks for root's. It ends with the pod."""
    said = ["etcd", f"--data-dir={RESTORED}", f"--name={NAME}", f"--initial-cluster={NAME}={PEER}"]
    said += [f"--listen-peer-urls={PEER}", f"--initial-advertise-peer-urls={PEER}"]
    said += [f"--listen-client-urls={CLIENT}", f"--advertise-client-urls={CLIENT}", "--client-cert-auth"]
    said += [f"--cert-file={SERVER}/tls.crt", f"--key-file={SERVER}/tls.key", f"--trusted-ca-file={SERVER}/ca.crt"]
    said += [f"--quota-backend-bytes={configuration.quota(view.pool.spec.storage.size)}", "--unsafe-no-fsync"]
    made = _etcds(view, "etcd", said, pod.mount("server", SERVER))
    return made | {"restartPolicy": "Always"}  # beside the container that comes after


def _keep(view: PoolView, asked: Snapshots) -> dict[str, Any]:
    args = ["keep", f"--endpoint=127.0.0.1:{CLIENT_PORT}", f"--credentials={CREDENTIALS}", f"--file={FILE}"]
    args += [f"--note={NOTE}", f"--retention={asked.retention}", f"--report={REPORT}"]
    kept = [pod.mount(each["name"], KEPT, read_only=asked.to.volume is None) for each in _where(asked)]
    return _ours(view, "keep", [*args, *_to(view, asked)], *kept)


def _ours(view: PoolView, name: str, args: list[str], *mounts: Manifest) -> dict[str, Any]:
    return pod.job_container(name, view.image, [HERE, pod.mount("root", CREDENTIALS), pod.TMP, *mounts], args=args)


def _etcds(view: PoolView, name: str, command: list[str], *mounts: Manifest) -> dict[str, Any]:
    return pod.job_container(name, image(snapshot.version(view)), [HERE, *mounts], command=command)
