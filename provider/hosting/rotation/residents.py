"""Which tenants of a pool's store have yet to follow another authority of it, by what stands in their namespaces. Pure.

A tenant has followed when its Secret says so and every pod of it was started with that Secret as it is. Of one that has no pods
the Secret is enough; of one that has no Secret yet nothing is asked, for it will be made of what is wanted then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from provider.api import names
from provider.hosting.rotation.stores import Question
from provider.hosting.storeview import Guests
from provider.manifest import Manifest, checksum, meta, pem, podstatus, x509

PODS = "deployment"  # component of a tenant's Deployment and of its pods
SECRET = "datastore-certificate"  # component of the Secret with what it shows to its store


def behind(asked: Question, guests: Guests, objects: Iterable[Manifest]) -> Iterator[str]:
    """`namespace/name` of those among these tenants of one namespace; `objects` are its Secrets, Deployments and pods."""
    found: dict[tuple[str, str], list[Manifest]] = {}
    for each in objects:
        found.setdefault((str(meta.labels_of(each).get(names.LABEL_NAME)), each["kind"]), []).append(each)
    for name in guests.names:
        secrets, deployments, pods = (found.get((name, kind), []) for kind in ("Secret", "Deployment", "Pod"))
        if not all(_follows(asked, each) and _started(each, deployments, pods) for each in secrets):
            yield f"{guests.namespace}/{name}"


def _follows(asked: Question, secret: Manifest) -> bool:
    data = meta.decoded(secret)
    if asked.signs:
        return x509.verifies(data.get("server.crt", b""), asked.authority)
    return pem.holds(data.get("ca.crt", b""), asked.authority)


def _started(secret: Manifest, deployments: Iterable[Manifest], pods: Iterable[Manifest]) -> bool:
    """Whether all that runs, and all that is to run, was started with the Secret as it is."""
    wanted = checksum.of(meta.decoded(secret))
    templates = [each["spec"]["template"] for each in deployments]
    running = [each for each in pods if not podstatus.has_ended(each)]
    same = all(
        meta.annotations_of(each).get(names.ANNOTATION_STORAGE_CERTIFICATE) == wanted for each in (*templates, *running)
    )
    return same and all(podstatus.rolled_out(each) for each in deployments)
