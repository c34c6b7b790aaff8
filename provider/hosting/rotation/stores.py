"""Another authority for the etcd of a pool, while its members and its tenants work on: what is asked, and what is waited for.

Pure. The steps and what a Secret holds are those of a tenant's own (`phases`, `keyring`). Who has to follow are members, which
are ours to start again, and for the authority that clients are judged by, tenants. Builders ask `of`, the pool pass `question`
before it looks up who is behind, the status `progress`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from provider.api import kinds, names, poolnames
from provider.api.credentials import stores
from provider.api.verdict import NotReady
from provider.hosting.rotation import keyring
from provider.hosting.rotation.keyring import Keyring, Ring
from provider.hosting.rotation.phases import Facts
from provider.hosting.storeview import PoolView, member_names
from provider.manifest import Manifest, checksum, meta, pem, podstatus

BUNDLE: Final = "ca-bundle.crt"
CLIENTS: Final = keyring.ring(stores.POOL_CA, BUNDLE, names.ANNOTATION_ROTATE_CA)
PEERS: Final = keyring.ring(stores.POOL_PEER_CA, BUNDLE, names.ANNOTATION_ROTATE_PEER_CA)
RINGS: Final = (CLIENTS, PEERS)
AUTHORITIES: Final = (
    f"{names.EXTENSION_GROUP}/authorities-checksum"  # annotation of a member's pod: whom it was started with
)

Trust = tuple[tuple[str, ...], tuple[str, ...]]
"""Fingerprints of whom a member trusts as clients, and as peers; of the latter the one that signs what it shows first."""


@dataclass(frozen=True)
class Progress:
    """How far a rotation is."""

    ring: Ring
    name: str  # fingerprint of the new one
    signs: bool  # the new one does
    members: tuple[str, ...]  # that have yet to follow
    tenants: tuple[str, ...] | None  # the same; None: they could not be asked


@dataclass(frozen=True)
class Question:
    """The new authority for clients. They have to trust it; once it signs, to show what it has signed."""

    authority: bytes
    signs: bool


def held(view: PoolView, ring: Ring) -> Keyring | None:
    """What the ring's Secret holds; None when it lacks half of a pair."""
    found = view.seen.get(kinds.SECRET, ring.secret(view.name), view.namespace) or {}
    data = {key: each for key, each in meta.decoded(found).items() if each}
    return keyring.read(ring, data, meta.annotations_of(found))


def of(view: PoolView, ring: Ring) -> Keyring:
    """The same, for those who cannot do without. NotReady."""
    if (found := held(view, ring)) is None:
        raise NotReady("SecretMissing", f"waiting for Secret {view.namespace}/{ring.secret(view.name)}")
    return found


def trusted(view: PoolView, ring: Ring) -> bytes:
    """PEM of whom to trust. NotReady."""
    keys = of(view, ring)
    return keys.trusted if keys.bundled else keys.signer.certificate


def bundled(view: PoolView) -> bool:
    """Whether the Secret that the DataStore names has a bundle."""
    keys = held(view, CLIENTS)
    return keys is not None and keys.bundled


def request(view: PoolView, ring: Ring) -> str:
    """What the pool and the DataStore say, as one word to be remembered."""
    return json.dumps(_asked(view, ring)) if any(_asked(view, ring)) else ""


def facts(view: PoolView, ring: Ring, keys: Keyring) -> Facts:
    """What the next step depends on."""
    said, done = _asked(view, ring), _turns(keys.turn)
    name = pem.fingerprint((keys.next or keys.signer).certificate)
    forced = any(
        name in meta.annotations_of(each).get(names.ANNOTATION_COMPLETE_ROTATION, "").split(",")
        for each in _sayers(view)
    )
    followed = ring is PEERS or view.behind == ()
    running = not _members_behind(view, ring, keys)
    return Facts(
        asked=any(new not in ("", old) for new, old in zip(said, done, strict=True)),
        request=json.dumps([new or old for new, old in zip(said, done, strict=True)]),
        settled=running and (keys.next is None or ((followed or forced) and _offered_all(view, ring))),
        unused=view.seen.get(kinds.STATEFUL_SET, poolnames.etcd(view.name), view.namespace) is None,
        followed=followed,
        forced=forced,
    )


def question(view: PoolView) -> Question | None:
    """Whom tenants and members have to follow; None: nothing is asked of them."""
    keys = held(view, CLIENTS)
    if keys is None or not keys.rotating:
        return None
    return Question((keys.next or keys.signer).certificate, keys.next is None)


def progress(view: PoolView) -> Iterator[Progress]:
    """The rotations that are under way."""
    for ring in RINGS:
        keys = held(view, ring)
        if keys is not None and keys.rotating:
            behind = view.behind if ring is CLIENTS else ()
            name = pem.fingerprint((keys.next or keys.signer).certificate)
            yield Progress(ring, name, keys.next is None, _members_behind(view, ring, keys), behind)


def mark(view: PoolView) -> str:
    """The annotation of members' pods by which they are told to start again: of a store that never rotated a checksum."""
    clients, peers = of(view, CLIENTS), of(view, PEERS)
    if not (clients.bundled or peers.bundled):
        return _plain(clients.signer.certificate, peers.signer.certificate)
    return json.dumps(_trust(clients, peers))


def estranged(view: PoolView, pod: Manifest) -> bool:
    """Whether a pod trusts others than are trusted now so that it cannot work beside those that were started since."""
    wanted = mark(view)
    said = meta.annotations_of(pod).get(AUTHORITIES, wanted)
    if said == wanted:
        return False
    clients, peers = of(view, CLIENTS), of(view, PEERS)
    if (known := _read(said, clients, peers)) is None:
        return True
    (now_clients, now_peers), (its_clients, its_peers) = _trust(clients, peers), known
    signer = pem.fingerprint(clients.signer.certificate)
    knows_clients = signer in its_clients and bool(set(now_clients) & set(its_clients))
    return not (knows_clients and now_peers[0] in its_peers and its_peers[0] in now_peers)


def _trust(clients: Keyring, peers: Keyring) -> Trust:
    """Of clients in an order that stays when another begins to sign: what a member shows them it reads at each handshake."""
    first, *others = [pem.fingerprint(each) for each in pem.blocks(peers.trusted)]
    return tuple(sorted(pem.fingerprint(each) for each in pem.blocks(clients.trusted))), (first, *sorted(others))


def _plain(clients: bytes, peers: bytes) -> str:
    return checksum.of({"clients": clients, "peers": peers})


def _read(said: str, clients: Keyring, peers: Keyring) -> Trust | None:
    """What a mark stands for. A checksum is known by those that are still trusted, each pair of which it may be."""
    try:
        its_clients, its_peers = json.loads(said)
        return tuple(its_clients), tuple(its_peers)
    except (ValueError, TypeError):
        pairs = ((one, other) for one in pem.blocks(clients.trusted) for other in pem.blocks(peers.trusted))
        found = next(((one, other) for one, other in pairs if _plain(one, other) == said), None)
        return None if found is None else ((pem.fingerprint(found[0]),), (pem.fingerprint(found[1]),))


def _members_behind(view: PoolView, ring: Ring, keys: Keyring) -> tuple[str, ...]:
    """Members that do not answer, or run with others than are trusted now, or do not show what the new one signed."""
    live, found = view.seen.get(kinds.STATEFUL_SET, poolnames.etcd(view.name), view.namespace), view.membership or ()
    known = tuple(dict.fromkeys((*(each.name for each in found), *member_names(view))))
    if live is None or not all(held(view, each) for each in RINGS):
        return known
    if meta.annotations_of(live["spec"]["template"]).get(AUTHORITIES) != mark(view):
        return known
    show = ring is CLIENTS and keys.next is None
    shown = {each.name for each in found if each.answers and not each.learner and (each.shows or not show)}
    return tuple(each for each in known if each not in shown or not _runs(view, each))


def _runs(view: PoolView, member: str) -> bool:
    """Whether its pod is ready and was started with what is trusted now."""
    pod = view.seen.get(kinds.POD, member, view.namespace)
    if pod is None or pod["metadata"].get("deletionTimestamp") or not podstatus.is_ready(pod):
        return False
    return meta.annotations_of(pod).get(AUTHORITIES) == mark(view)


def _offered_all(view: PoolView, ring: Ring) -> bool:
    """Whether tenants that come now are told of both."""
    return ring is PEERS or view.seen.get(kinds.DATA_STORE, view.name) is None or names_bundle(view)


def names_bundle(view: PoolView) -> bool:
    """Whether the DataStore names all that are trusted, and not only who signs."""
    store = view.seen.get(kinds.DATA_STORE, view.name) or {}
    authority = ((store.get("spec") or {}).get("tlsConfig") or {}).get("certificateAuthority") or {}
    reference = (authority.get("certificate") or {}).get("secretReference") or {}
    return bool(reference.get("keyPath") == BUNDLE)


def _sayers(view: PoolView) -> tuple[Manifest, Manifest]:
    """The pool speaks for all its stores, a DataStore for itself."""
    return view.raw, view.seen.get(kinds.DATA_STORE, view.name) or {}


def _asked(view: PoolView, ring: Ring) -> list[str]:
    return [meta.annotations_of(each).get(ring.request, "") for each in _sayers(view)]


def _turns(turn: str) -> list[str]:
    """What was carried out, as it was said at each place."""
    try:
        pool, store = json.loads(turn)
        return [str(pool), str(store)]
    except (ValueError, TypeError):
        return ["", ""]
