"""What can be wrong with a store, in words that stay the same from try to try. Raised by drivers, told by passes.

StoreError
├── StoreUnreachable   nobody answers there
│   └── BucketUnreachable
├── StoreUntrusted     TLS: it is not who it should be, or it does not take our certificate
├── StoreDenied        it knows us, and says no
│   └── BucketDenied
├── BucketMissing      there is no bucket of that name
├── ObjectMissing      there is one, and no file of that name in it
├── AuthOff            it asks nobody who he is
├── Alarmed            it says of itself that something is wrong
├── NameRefused        a schema or user that cannot be a name there
├── IsolationUnsafe    its version is known to let one tenant reach another's keys
├── IsolationBroken    a tenant's own certificate reached what is not its own
├── Taken              the keyspace belongs to somebody else
├── ErasureIncomplete  something of a tenant is left after it was dropped
├── Outrun             the store has forgotten a revision that was asked for
├── Replaced           another process has taken up the copy that we were at
├── CopyDiffers        what was copied is not what it was copied from
└── RevisionGap        the store's revision lies too far below another's
"""

from __future__ import annotations


class StoreError(Exception):
    """The message says where and what to do; it holds no secret."""


class StoreUnreachable(StoreError):
    """Nobody answers."""


class StoreUntrusted(StoreError):
    """TLS refused one side or the other."""


class StoreDenied(StoreError):
    """Authenticated, and not allowed."""


class BucketUnreachable(StoreUnreachable):
    """Nobody answers there as S3 does."""


class BucketDenied(StoreDenied):
    """It does not know our keys, or they may not do this."""


class BucketMissing(StoreError):
    """No bucket of that name."""


class ObjectMissing(StoreError):
    """No file of that name in it."""


class AuthOff(StoreError):
    """Everybody may do everything."""


class Alarmed(StoreError):
    """An alarm is on."""


class NameRefused(StoreError):
    """Not a name that this driver can give a place or a user."""


class IsolationUnsafe(StoreError):
    """A version with known holes between tenants."""


class IsolationBroken(StoreError):
    """A tenant reached what is not its own."""


class Taken(StoreError):
    """Another tenant has the schema or the user."""


class ErasureIncomplete(StoreError):
    """A dropped tenant left something."""


class Outrun(StoreError):
    """Compacted: what was there at that revision is no longer kept."""


class Replaced(StoreError):
    """Somebody else writes what we wrote."""


class CopyDiffers(StoreError):
    """A copy that is level and not the same."""


class RevisionGap(StoreError):
    """More than can be made up for."""
