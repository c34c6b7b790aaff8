"""What etcd's words for a refusal mean, in ours. It says some refusals of auth as FAILED_PRECONDITION or INVALID_ARGUMENT."""

from __future__ import annotations

from provider.hosting.datastores.errors import StoreDenied, StoreError

NO_USER = "user name not found"
DENIALS = ("permission denied", "user name is empty", NO_USER, "invalid auth")
FULL = "database space exceeded"


def denied() -> StoreDenied:
    """Whoever asked is known, and is not root."""
    return StoreDenied("the client certificate's common name is not allowed to: it has to be root")


def of(detail: str) -> StoreError:
    """The error that etcd's own words stand for."""
    if any(each in detail for each in DENIALS):
        return denied()
    if FULL in detail:
        return StoreError(
            "etcd's database is full: raise --quota-backend-bytes, defragment, then disarm the alarm NOSPACE"
        )
    return StoreError(f"etcd refused: {detail}")
