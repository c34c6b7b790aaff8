"""Backups in a bucket: sealed and read back on a scratch volume, then put there and read from there once more.

What is restored is copied to the scratch volume first, so that it is one file that is found whole and then poured, whatever
becomes of the bucket meanwhile. The keys of access are in a Secret of the tenant's namespace: whoever asks for a backup has his
own bucket, and no way into the provider's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from provider.api import bucket as words
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.hosting.datastores import bucket
from provider.hosting.datastores.bucket.address import Address, Keys
from provider.hosting.datastores.errors import ObjectMissing, StoreError
from provider.hosting.datastores.etcd import keeping
from provider.hosting.reconcile.archiving import Declined, NotFound
from provider.manifest import meta

SCHEDULED = re.compile(r".+-[0-9]{12}-[0-9a-f]{8}[.]kamaji-backup")  # by name it is known when: nothing else is deleted


class Objects:
    """An object of a bucket. See `places.Place`."""

    def __init__(self, place: bucket.Bucket, name: str, scratch: Path) -> None:
        self._bucket, self._name, self._scratch = place, name, scratch

    @contextmanager
    def drafted(self) -> Iterator[Path]:
        """On the scratch volume."""
        draft = self._scratch / self._name
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def keep(self, draft: Path) -> None:
        """What the bucket gives out otherwise than it was put is removed."""
        self._bucket.put(draft, self._name)
        if keeping.summed(self._bucket.read(self._name)) != keeping.summed(keeping.chunks(draft)):
            self._bucket.remove(self._name)
            raise StoreError("what was put into the bucket reads as something else, and was removed: is it sound?")

    @contextmanager
    def held(self) -> Iterator[Path]:
        """A copy."""
        with self.drafted() as copy:
            try:
                with copy.open("wb") as file:
                    for each in self._bucket.read(self._name):
                        file.write(each)
            except ObjectMissing as error:
                raise NotFound(f"{error}: look at spec.source") from error
            yield copy

    def thin(self, keep: int) -> None:
        """By their names: when an object was written, a copy of a bucket does not say. Nobody sees what is half."""
        for each in sorted(filter(SCHEDULED.fullmatch, self._bucket.names()), reverse=True)[keep:]:
            self._bucket.remove(each)


async def placed(
    cluster: Cluster, namespace: str, secret: str, address: Address, name: PurePosixPath, scratch: Path
) -> Objects:
    """`name`: below the address' folder. Declined when the Secret has no keys of access."""
    data = meta.decoded(await cluster.get(kinds.SECRET, secret, namespace))
    keys = Keys.of(data)
    if keys is None:
        raise Declined(f"Secret {namespace}/{secret} has no {words.IDENTITY} and {words.SECRET}: put them into it")
    if authority := data.get(words.AUTHORITY):
        trusted = scratch / words.AUTHORITY
        trusted.write_bytes(authority)
        bucket.trusting(trusted)
    folder = "/".join(filter(None, (address.folder, *name.parts[:-1])))
    where = Address(bucket=address.bucket, folder=folder, region=address.region, endpoint=address.endpoint, keys=keys)
    return Objects(bucket.Bucket(where), name.name, scratch)
