"""Which etcd keeps tenants apart. Older ones have known ways around auth (GHSA-rfx7-8w68-q57q, GHSA-q8m4-xhhv-38mg,
GHSA-x35m-3gp4-4fh5, GHSA-xg4h-6gfc-h4m8), so they are refused."""

from __future__ import annotations

from provider.hosting.datastores.errors import IsolationUnsafe

SAFE = {(3, 6): 14, (3, 7): 1}
"""First patch of a minor that has all fixes; later minors have them from the start."""
NEVER = float("inf")


def check(version: str) -> None:
    """IsolationUnsafe names the version and what to run instead. What cannot be read is not trusted.

    A pre-release (semver.org, 11) is older than its release: that of the first safe one is not safe, and one that begins a
    minor may have branched off before the fixes.
    """
    number, _, before = version.split("+", maxsplit=1)[0].partition("-")
    try:
        major, minor, patch = (int(each) for each in number.split("."))
    except ValueError:
        raise _unread(version) from None
    later = (major, minor) > max(SAFE)
    if later and patch == 0 and before:
        raise _unread(version)
    if later or (patch, not before) >= (SAFE.get((major, minor), NEVER), True):
        return
    raise IsolationUnsafe(
        f"etcd {version} has known ways for one tenant to reach another's keys: run 3.6.14 or later, or 3.7.1 or later"
    )


def _unread(version: str) -> IsolationUnsafe:
    return IsolationUnsafe(f"etcd says its version is {version!r}, which cannot be judged: run a released one")
