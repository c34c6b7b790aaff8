"""A folder of a bucket of an S3 API as a place where files stay. Imported by Jobs' commands alone, on demand (decision 0033).

What the client says of a failure holds keys of access and whole answers of servers: failures have our words, by kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from provider.hosting.datastores.bucket import unfinished
from provider.hosting.datastores.bucket.address import Address
from provider.hosting.datastores.errors import BucketDenied, BucketMissing, BucketUnreachable, ObjectMissing

PART = 16 * 2**20  # bytes of a file that is sent in parts
AT_ONCE = 4  # parts on their way, each of them in memory
NO_BUCKET = "NoSuchBucket"  # S3's code in an answer
TRUSTED = "SSL_CERT_FILE"  # the one way in which the client can be told


class Bucket:
    """See `keeping.Place`. Whom it trusts is the process's to say (`trusting`): the client takes it from nowhere else."""

    def __init__(self, address: Address) -> None:
        self._at = address
        keys = address.keys
        with self._told():
            self._store = S3Store(
                address.bucket,
                region=address.region,
                endpoint=address.endpoint,
                access_key_id=keys.identity if keys else None,
                secret_access_key=keys.secret if keys else None,
                client_options={
                    "allow_http": (address.endpoint or "").startswith("http://"),
                    "timeout": timedelta(minutes=5),  # for a part, which may be slow
                },
                retry_config={"max_retries": 5, "retry_timeout": timedelta(minutes=2)},
            )

    def put(self, file: Path, name: str) -> None:
        """In parts; a bucket shows nothing of an object before its last part is there. What was killed before is ended."""
        unfinished.end(self._at, name)
        with self._told():  # what is refused the client itself ends
            obstore.put(self._store, self._path(name), file, chunk_size=PART, max_concurrency=AT_ONCE)

    def read(self, name: str) -> Iterator[bytes]:
        """As the server gives it out, a part a request. ObjectMissing when there is none of that name."""
        try:
            with self._told():
                size = int(obstore.head(self._store, self._path(name))["size"])
        except BucketMissing as error:  # a HEAD has no answer that says which of the two is missing
            self.names()
            raise ObjectMissing(f"there is no {self._path(name)} in {self._at}") from error
        for start in range(0, size, PART):
            with self._told():
                yield bytes(obstore.get_range(self._store, self._path(name), start=start, end=min(size, start + PART)))

    def names(self) -> Iterable[str]:
        """Of objects directly in the folder."""
        with self._told():
            found = obstore.list_with_delimiter(self._store, prefix=self._at.folder)["objects"]
        return [str(each["path"]).rpartition("/")[2] for each in found]

    def remove(self, name: str) -> None:
        """The object; what a bucket with versions keeps of it is the bucket's."""
        with self._told():
            obstore.delete(self._store, self._path(name))

    def _path(self, name: str) -> str:
        return self._at.path(name)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError):
            why = "are the keys of the Secret right, and may they write, read, list and delete?"
            raise BucketDenied(f"{self._at} does not let us: {why}") from None
        except FileNotFoundError as error:
            if error.filename:  # a file of ours
                raise
            raise BucketMissing(f"{self._at} does not exist: make it, or name another") from None
        except BaseError as error:
            if NO_BUCKET in str(error):  # of a list, the client does not make it FileNotFoundError
                raise BucketMissing(f"{self._at} does not exist: make it, or name another") from None
            why = "are endpoint and region right, and who signed its certificate (ca.crt)?"
            raise BucketUnreachable(f"{self._at} does not answer as S3 does: {why}") from None


def trusting(authority: Path) -> None:
    """This process trusts these certificates and no others, wherever it was not told whom to trust."""
    os.environ[TRUSTED] = str(authority)
