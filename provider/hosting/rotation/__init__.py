"""Another authority for a tenant while everybody works on: what is held, what is seen, what follows from it. Pure.

`keyring` is what a Secret holds, `phases` the steps, `followers` who still needs the former one, `age` when it begins by
itself. Builders ask `of` whom to
trust and who signs; the tenant pass asks `question` before its walk and looks up what that takes; the status asks `progress`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from provider.api import kinds, names
from provider.api.verdict import NotReady
from provider.hosting import credential, renewal, versions
from provider.hosting.rotation import age, followers, keyring
from provider.hosting.rotation.keyring import ACCOUNT, CA, RINGS, Keyring, Ring
from provider.hosting.rotation.phases import Facts
from provider.hosting.view import View
from provider.manifest import Manifest, checksum, meta, pem, podstatus

LOOK_AGAIN = 600.0  # seconds; no event tells of nodes, and a signing request is gone an hour after it was approved

Holders = Literal["nodes", "tokens"]
Phase = Literal["prepare", "sign", "follow"]
"""What a rotation waits for: pods that trust both, pods that sign with the new one, holders that do not need the former."""


@dataclass(frozen=True)
class Progress:
    """How far a rotation is. `behind`: who is known to need the former one; None: nobody could be asked."""

    ring: Ring
    phase: Phase
    name: str  # fingerprint of the new one: by it the rotation is called
    behind: tuple[str, ...] | None = None
    until: datetime | None = None  # when the former goes in any case
    fetched: datetime | None = None  # before when it does not go, though nobody is behind


def held(view: View, ring: Ring, besides: Mapping[str, bytes] = MappingProxyType({})) -> Keyring | None:
    """What the ring's Secret holds, and `besides`; None when it lacks half of a pair."""
    found = view.seen.get(kinds.SECRET, ring.secret(view.name), view.namespace) or {}
    return keyring.read(ring, {**meta.decoded(found), **besides}, meta.annotations_of(found))


def of(view: View, ring: Ring) -> Keyring:
    """The same, for those who cannot do without. NotReady."""
    if (found := held(view, ring)) is None:
        secret = f"Secret {view.namespace}/{ring.secret(view.name)}"
        raise NotReady("SecretMissing", f"waiting for {ring.public} and {ring.private} in {secret}")
    return found


def trusted(view: View) -> bytes:
    """PEM of whom clients of the API server shall trust. NotReady."""
    keys = of(view, CA)
    return keys.trusted if keys.rotating else keys.signer.certificate


def bundled(view: View, ring: Ring) -> bool:
    """Whether the ring's Secret has a bundle to be mounted in the place of the one that signs."""
    return ring.bundle in view.secret(ring.secret(view.name))


def facts(view: View, ring: Ring, keys: Keyring) -> Facts:
    """What the next step depends on."""
    wanted = request(view, ring)
    return Facts(
        asked=wanted not in ("", keys.turn)
        or credential.rotation_asked(view, ring.secret(view.name))
        or age.reached(view, ring.request, born(view, ring, keys)),
        request=wanted,
        settled=settled(view, ring.secret(view.name), ring.label),
        unused=unused(view),
        followed=_followed(view, ring, keys),
        forced=_name(keys) in meta.annotations_of(view.raw).get(names.ANNOTATION_COMPLETE_ROTATION, "").split(","),
    )


def request(view: View, ring: Ring) -> str:
    """What the annotation says by which a user asks for another; each value asks once."""
    return meta.annotations_of(view.raw).get(ring.request, "")


def born(view: View, ring: Ring, keys: Keyring) -> datetime | None:
    """Since when the one that signs is there: a certificate says so, of a bare key its Secret."""
    if ring is not ACCOUNT:
        span = renewal.span(keys.signer.certificate)
        return span[0] if span else None
    found = view.seen.get(kinds.SECRET, ring.secret(view.name), view.namespace) or {}
    made = (found.get("metadata") or {}).get("creationTimestamp")
    return keys.made or (datetime.fromisoformat(made) if made else None)


def unused(view: View) -> bool:
    """Whether nothing ever ran by which anybody came to trust a key: then another simply takes its place."""
    return view.deployment is None and not view.pods and versions.installed(view) is None


def question(view: View) -> frozenset[Holders]:
    """Whose holders have to be looked up: of a rotation that waits for nothing else."""
    found: dict[Holders, Ring] = {"nodes": CA, "tokens": ACCOUNT}
    return frozenset(who for who, ring in found.items() if _waits_for_holders(view, ring))


def progress(view: View) -> tuple[Progress, ...]:
    """The rotations that are under way."""
    found = [(ring, held(view, ring)) for ring in RINGS]
    return tuple(_progress(view, ring, keys) for ring, keys in found if keys is not None and keys.rotating)


def again(view: View) -> float | None:
    """Seconds after which to look again, where no event tells that somebody followed, or that one is old enough."""
    if "nodes" in question(view):
        return LOOK_AGAIN
    rings = [(ring, held(view, ring)) for ring in RINGS]
    return age.wait(view, (age.due(view, ring.request, born(view, ring, keys)) for ring, keys in rings if keys))


def _progress(view: View, ring: Ring, keys: Keyring) -> Progress:
    if keys.next is not None:
        return Progress(ring, "prepare", pem.fingerprint(keys.next.certificate))
    if keys.since is None:
        return Progress(ring, "sign", _name(keys))
    behind, until = followers.behind(view, ring, keys), followers.until(view, ring, keys)
    return Progress(ring, "follow", _name(keys), behind, until, followers.fetched(keys) if ring is CA else None)


def _name(keys: Keyring) -> str:
    return pem.fingerprint(keys.signer.certificate)


def settled(view: View, secret: str, label: str) -> bool:
    """Whether each pod there is was started with what a Secret holds now, and none of another template is to come.

    Not while the pods are on their way between versions: what serves until then may be run again as it was.
    """
    deployment = view.deployment
    if deployment is None or view.rollout is not None or not podstatus.rolled_out(deployment):
        return False
    now = checksum.of(view.secret(secret))
    return all(meta.labels_of(each).get(label) == now for each in started(view))


def started(view: View) -> list[Manifest]:
    """What pods are, and are to be, started from: the template, and each pod that may still run."""
    template = [view.deployment["spec"]["template"]] if view.deployment else []
    return [*template, *(each for each in view.pods if not podstatus.has_ended(each))]


def _waits_for_holders(view: View, ring: Ring) -> bool:
    keys = held(view, ring)
    if keys is None or not keys.former or keys.since is None:
        return False
    return ring is CA or _expired(view, ring, keys)


def _followed(view: View, ring: Ring, keys: Keyring) -> bool:
    """Certificates go by what is seen of their holders, at last by time; tokens by time, but for those that never expire."""
    if keys.since is None:
        return False
    expired, none = _expired(view, ring, keys), followers.behind(view, ring, keys) == ()
    if ring is CA:
        fetched = followers.fetched(keys)
        return expired or (none and fetched is not None and view.now >= fetched)
    return expired and (none or ring is not ACCOUNT)


def _expired(view: View, ring: Ring, keys: Keyring) -> bool:
    until = followers.until(view, ring, keys)
    return until is not None and view.now >= until
