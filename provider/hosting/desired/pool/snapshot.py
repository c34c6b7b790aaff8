"""A snapshot before etcd becomes another version: a Job that writes it to a member's own volume, and whether it is done.

The members get the new version only afterwards (`members`). The file stays until the next upgrade writes over it; the quota
leaves room for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provider.api import kinds, names, poolnames
from provider.hosting.desired.pool import ownership, roster
from provider.hosting.desired.pool.configuration import DATA
from provider.hosting.desired.pool.network import CLIENT_PORT, member_host
from provider.hosting.desired.pool.volume import CLAIM, HOSTNAME, ON_NODE, rights, storage_class
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, pod
from provider.manifest.condition import holds

FILE = f"{DATA}/snapshots/before-upgrade.db"
CREDENTIALS = "/etc/etcd/root"
TRIES = 3
KEPT = 86400  # seconds for which a finished Job can be looked at


def build(view: PoolView) -> Iterator[Manifest]:
    """One Job while an upgrade is asked for, begun when every member answers. None where the provider's image is not known."""
    if not (due(view) and view.image and _all_answer(view)) or _live(view) is not None:
        return
    member = next(each.name for each in view.membership or ())
    template = {"metadata": {"labels": {names.LABEL_PROJECT: names.PROJECT}}, "spec": _pod(view, member)}
    spec = {"backoffLimit": TRIES, "ttlSecondsAfterFinished": KEPT, "template": template}
    yield ownership.namespaced(view, kinds.JOB, name(view), {"spec": spec})


def due(view: PoolView) -> bool:
    """Whether the members shall become another version than they were last told to be, and than they run.

    Going back from one that no member has got to changes nobody's data, and must be possible while a member is down.
    """
    running = told(view)
    runs = {each.version for each in view.membership or () if each.version}
    return running is not None and running != asked(view) and runs != {asked(view)}


def version(view: PoolView) -> str:
    """What members are to run now: what they ran, until the snapshot is taken."""
    running = told(view)
    if running is None or not due(view) or _is(view, "Complete"):
        return asked(view)
    return running


def asked(view: PoolView) -> str:
    """The version of the spec, without a leading v."""
    return view.pool.spec.version.removeprefix("v")


def told(view: PoolView) -> str | None:
    """The version that the StatefulSet says; None before it is there."""
    live = view.seen.get(kinds.STATEFUL_SET, poolnames.etcd(view.name), view.namespace)
    return None if live is None else of_image(live["spec"]["template"]["spec"])


def of_image(spec: Mapping[str, Any]) -> str:
    """The version of etcd in a pod's spec."""
    return str(spec["containers"][0]["image"]).rpartition(":v")[2]


def name(view: PoolView) -> str:
    """Each change of the pool gets its own."""
    return f"{poolnames.etcd(view.name)}-before-{view.pool.metadata.generation}"


def _live(view: PoolView) -> Manifest | None:
    return view.seen.get(kinds.JOB, name(view), view.namespace)


def _is(view: PoolView, condition: str) -> bool:
    return holds(((_live(view) or {}).get("status") or {}).get("conditions"), condition)


def _all_answer(view: PoolView) -> bool:
    members = view.membership or ()
    return {each.name for each in members if each.answers and not each.learner} == set(roster.of(view).members) != set()


def _pod(view: PoolView, member: str) -> dict[str, Any]:
    """Beside the member, whose volume it shares. It has root's certificate, as the provider has."""
    beside = {"labelSelector": {"matchLabels": {"statefulset.kubernetes.io/pod-name": member}}, "topologyKey": HOSTNAME}
    endpoint = f"{member_host(view, member)}:{CLIENT_PORT}"
    args = ["snapshot", f"--endpoint={endpoint}", f"--credentials={CREDENTIALS}", f"--output={FILE}"]
    mounts = [pod.mount(CLAIM, DATA, read_only=False), pod.mount("root", CREDENTIALS), pod.TMP]
    return pod.of_job(
        [pod.job_container("snapshot", view.image, mounts, args=args)],
        [
            {"name": CLAIM, "persistentVolumeClaim": {"claimName": f"{CLAIM}-{member}"}},
            {"name": "root", "secret": {"secretName": poolnames.root_secret(view.name), "defaultMode": 0o440}},
        ],
        affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [beside]}},
        automountServiceAccountToken=False,
        securityContext=rights(on_node=storage_class(view) == ON_NODE),
    )


def failed(view: PoolView) -> bool:
    """Whether it was tried for the last time."""
    return due(view) and _is(view, "Failed")
