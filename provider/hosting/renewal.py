"""How old a tenant's credentials are: when the next of them is due, and which of them end soon although nobody renews them.

Pure. The tenant pass asks `again`, so that a renewal waits for no other reason to look; the status asks `ending`. What the
certificates say of time is remembered by their digests: kubeconfigs are many lines of YAML, and each pass asks of the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509 as parsing

from provider.api import credentials
from provider.api.credentials.node import Node
from provider.hosting import credential
from provider.hosting.view import View
from provider.manifest import kubeconfig, lifetime

WARNED = tuple(timedelta(days=each) for each in (30, 14, 7, 1))
"""Before the end of what is not renewed by us: an Event each."""
TOGETHER = timedelta(
    hours=1
)  # so long after one is due, or a hundredth of its life, those of the same birth are due as well
LONGEST = 12 * 3600.0  # a timer of months is no use on a clock that may be set
REMEMBERED = 20_000

Span = tuple[datetime, datetime]

_SPANS: dict[bytes, Span | None] = {}


@dataclass(frozen=True)
class Certificate:
    """One that stands in a Secret of the tenant: from when to when it is valid."""

    node: Node
    key: str  # of the Secret's data
    begins: datetime
    ends: datetime

    @property
    def renewed(self) -> bool:
        """Whether it is made anew by time."""
        return self.node.sort != "authority"


def of(view: View) -> Iterator[Certificate]:
    """Those of a tenant that can be read, each once."""
    for node in credentials.OF_TENANT:
        data = view.secret(node.secret(view.name))
        certificate = (node.halves[0],) if node.halves and node.sort != "key" else ()
        for key in (*certificate, *node.files):
            if (found := span(data.get(key, b""))) is not None:
                yield Certificate(node, key, *found)


def again(view: View) -> float | None:
    """Seconds until the next one is due, or the next word of one that ends is."""
    ahead = [each for one in of(view) for each in _deadlines(view, one) if each > view.now]
    return min(LONGEST, (min(ahead) - view.now).total_seconds()) if ahead else None


def ending(view: View) -> list[Certificate]:
    """Those of which somebody should know: near their end, though they should have been renewed, or cannot be by us."""
    return sorted((each for each in of(view) if _left(view, each)), key=lambda each: (each.ends, each.node.title))


def warned(ends: datetime, now: datetime) -> timedelta | None:
    """The last of the times to warn that has come; zero when it has ended, None while it is far."""
    if now >= ends:
        return timedelta(0)
    return min((each for each in WARNED if ends - now <= each), default=None)


def words(ends: datetime, now: datetime) -> tuple[datetime, ...]:
    """When there is something to say of one that nobody renews."""
    return tuple(each for each in (*(ends - one for one in WARNED), ends) if each > now)


def span(content: bytes) -> Span | None:
    """From when to when the first certificate of a PEM text, or a kubeconfig's client, is valid; None when it is neither."""
    digest = hashlib.sha256(content).digest()
    if digest not in _SPANS:
        if len(_SPANS) >= REMEMBERED:
            _SPANS.clear()
        _SPANS[digest] = _read(content)
    return _SPANS[digest]


def _read(content: bytes) -> Span | None:
    try:
        pem = content if content.lstrip().startswith(b"-----") else kubeconfig.parse(content).client.certificate
        found = parsing.load_pem_x509_certificate(pem)
    except ValueError:
        return None
    return found.not_valid_before_utc, found.not_valid_after_utc


def _left(view: View, one: Certificate) -> bool:
    """Whether it is left to end: nobody renews it, or it is past its time."""
    overdue = not one.renewed or view.now >= _due(view, one)
    return overdue and warned(one.ends, view.now) is not None


def _due(view: View, one: Certificate) -> datetime:
    return lifetime.of_span(one.begins, one.ends, credential.early(view))


def _deadlines(view: View, one: Certificate) -> Iterator[datetime]:
    yield one.begins
    if one.renewed:
        yield _due(view, one) + min(TOGETHER, (one.ends - one.begins) / 100)
    if not one.renewed or view.now >= _due(view, one):
        yield from words(one.ends, view.now)
