"""`kamaji certificates --graph`: which authority has signed what, with ages, by signatures and not by names. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text
from rich.tree import Tree

from provider.manifest import Manifest, x509
from provider.overview.certificates import Dated, certificates
from provider.overview.rows import age


@dataclass(frozen=True, kw_only=True)
class Node:
    """A certificate, where it lies, and what it has signed."""

    found: Dated
    places: tuple[str, ...]
    signs: tuple[Node, ...]

    def said(self, now: datetime) -> dict[str, Any]:
        """As plain data."""
        return {
            "subject": self.found.subject,
            "issuer": self.found.issuer,
            "places": list(self.places),
            "age": age(self.found.begins.isoformat(), now),
            "days": (self.found.expires - now).days,
            "signs": [each.said(now) for each in self.signs],
        }


def graph(secrets: Iterable[Manifest]) -> tuple[Node, ...]:
    """Authorities that nobody here has signed, and leaves whose authority is not here, each with what it has signed."""
    places: dict[bytes, list[str]] = {}
    found: dict[bytes, Dated] = {}
    for each in sorted((one for secret in secrets for one in certificates(secret)), key=_place):
        found.setdefault(each.certificate, each)
        places.setdefault(each.certificate, []).append(_place(each))
    authorities = [each for each in found.values() if each.authority]
    signer = {each.certificate: _signer(each, authorities) for each in found.values()}

    def below(above: bytes | None) -> tuple[Node, ...]:
        some = [each for each in found.values() if signer[each.certificate] == above]
        return tuple(
            Node(found=each, places=tuple(places[each.certificate]), signs=below(each.certificate)) for each in some
        )

    return below(None)


def drawn(root: str, nodes: Sequence[Node], now: datetime) -> Tree:
    """For a terminal."""
    tree = Tree(Text(root, style="bold"))
    _draw(tree, nodes, now)
    return tree


def _draw(tree: Tree, nodes: Sequence[Node], now: datetime) -> None:
    for each in nodes:
        days = (each.found.expires - now).days
        more = f" and {len(each.places) - 1} more" if len(each.places) > 1 else ""
        line = Text(f"{each.found.subject}  {each.places[0]}{more}")
        line.append(f"  {age(each.found.begins.isoformat(), now)} old, ")
        line.append("expired" if each.found.expires <= now else f"{days} days left", style=_colour(each, now))
        _draw(tree.add(line), each.signs, now)


def _colour(each: Node, now: datetime) -> str:
    if each.found.expires <= now:
        return "red"
    return "yellow" if now >= each.found.renewal else "green"


def _signer(found: Dated, authorities: Sequence[Dated]) -> bytes | None:
    """The authority here that has signed it; None for one that has signed itself, whoever else has the same key."""
    if x509.verifies(found.certificate, found.certificate):
        return None
    return next((each.certificate for each in authorities if x509.verifies(found.certificate, each.certificate)), None)


def _place(found: Dated) -> str:
    return f"{found.secret}/{found.key}"
