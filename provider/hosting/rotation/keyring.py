"""What a Secret that signs holds: who signs, who will, who did, and how those who know only the last one find the way.

All of a rotation's state is in that one Secret, so that each of its steps is one write. Until the first rotation it looks as
upstream's does, to the letter; `ca.crt` and `ca.key` are always the pair that signs now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from provider.api import names
from provider.api.credentials import tenants
from provider.api.credentials.node import Node
from provider.manifest import pem
from provider.manifest.condition import timestamp
from provider.manifest.x509 import Pair

NEXT, NEXT_KEY, FORMER, BRIDGES = "next.crt", "next.key", "former.crt", "bridges.crt"
"""Keys of a Secret beside upstream's; of a pair for tokens, public keys stand in the place of certificates."""


@dataclass(frozen=True, kw_only=True)
class Ring:
    """One of the Secrets that sign."""

    node: Node
    public: str  # key of who signs now: a certificate or public key
    private: str
    bundle: str  # key of all that is trusted; there since that was more than one for the first time
    request: str  # annotation by which a user asks for another

    @property
    def title(self) -> str:
        """As messages call what it holds."""
        return self.node.title

    @property
    def component(self) -> str:
        """The Secret's label."""
        return self.node.component

    @property
    def label(self) -> str:
        """Of a pod: checksum of the Secret that it was started with."""
        return self.node.rolls

    def secret(self, tenant: str) -> str:
        """The Secret's name."""
        return self.node.secret(tenant)


def ring(node: Node, bundle: str, request: str) -> Ring:
    """Of a node that says where its pair stands."""
    assert node.halves is not None
    public, private = node.halves
    return Ring(node=node, public=public, private=private, bundle=bundle, request=request)


CA: Final = ring(tenants.CA, "ca-bundle.crt", names.ANNOTATION_ROTATE_CA)
FRONT_PROXY: Final = ring(tenants.FRONT_PROXY_CA, "front-proxy-ca-bundle.crt", names.ANNOTATION_ROTATE_FRONT_PROXY_CA)
ACCOUNT: Final = ring(tenants.ACCOUNT, "sa-bundle.pub", names.ANNOTATION_ROTATE_SERVICE_ACCOUNT_KEY)
RINGS: Final = (CA, FRONT_PROXY, ACCOUNT)


@dataclass(frozen=True, kw_only=True)
class Keyring:
    """What one of these Secrets holds. Certificates and public keys are PEM blocks."""

    signer: Pair
    next: Pair | None = field(default=None, repr=False)  # trusted and not signing yet
    former: tuple[bytes, ...] = ()  # trusted and not signing any more
    bridges: tuple[bytes, ...] = ()  # behind the signer's leaves, for those who only trust an earlier authority
    since: datetime | None = None  # since when no pod signs with a former one; None: one still may
    turn: str = ""  # the request that was carried out last
    made: datetime | None = None  # since when the signer is one; None: since its Secret is there
    bundled: bool = (
        False  # whether pods were ever started with a bundle: those of before have to find it when they start
    )

    @property
    def trusted(self) -> bytes:
        """The bundle: who signs first, so that it also reads as a certificate of its own."""
        return pem.bundle([self.signer.certificate, *([self.next.certificate] if self.next else []), *self.former])

    @property
    def rotating(self) -> bool:
        """Whether more than one is trusted."""
        return self.next is not None or bool(self.former)

    @property
    def accepted(self) -> tuple[bytes, ...]:
        """Former ones whose leaves are still good where only a pod of ours judges them: while one may know no other."""
        return self.former if self.since is None and not self.bridges else ()

    @property
    def accepted_by_nodes(self) -> tuple[bytes, ...]:
        """Former ones whose leaves are still good for nodes and others who follow in their own time.

        With a bridge they find from a new leaf to the old authority; without one nobody must be shown a new leaf too early.
        """
        return () if self.bridges else self.former


def read(ring: Ring, data: Mapping[str, bytes], annotations: Mapping[str, str]) -> Keyring | None:
    """The keyring in a Secret; None when that lacks half of the pair that signs. Nothing is judged here."""
    if ring.public not in data or ring.private not in data:
        return None
    both = NEXT in data and NEXT_KEY in data
    return Keyring(
        signer=Pair(certificate=data[ring.public], key=data[ring.private]),
        next=Pair(certificate=data[NEXT], key=data[NEXT_KEY]) if both else None,
        former=pem.blocks(data.get(FORMER, b"")),
        bridges=pem.blocks(data.get(BRIDGES, b"")),
        since=_moment(annotations.get(names.ANNOTATION_SIGNS_SINCE, "")),
        turn=annotations.get(names.ANNOTATION_ROTATED, ""),
        made=_moment(annotations.get(names.ANNOTATION_MADE, "")),
        bundled=ring.bundle in data,
    )


def written(ring: Ring, keyring: Keyring) -> dict[str, bytes]:
    """`data` of the Secret."""
    found = {ring.public: keyring.signer.certificate, ring.private: keyring.signer.key}
    if keyring.next is not None:
        found |= {NEXT: keyring.next.certificate, NEXT_KEY: keyring.next.key}
    if keyring.former:
        found[FORMER] = pem.bundle(keyring.former)
    if keyring.bridges:
        found[BRIDGES] = pem.bundle(keyring.bridges)
    return found | ({ring.bundle: keyring.trusted} if keyring.bundled or keyring.rotating else {})


def noted(keyring: Keyring) -> dict[str, str]:
    """Annotations of the Secret."""
    since = {names.ANNOTATION_SIGNS_SINCE: timestamp(keyring.since)} if keyring.since else {}
    made = {names.ANNOTATION_MADE: timestamp(keyring.made)} if keyring.made else {}
    return since | made | ({names.ANNOTATION_ROTATED: keyring.turn} if keyring.turn else {})


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
