"""A folder of a bucket of an S3 API as a place where snapshots stay. Imported by `python -m provider keep` alone, on demand.

What the client says of a failure holds keys of access and whole answers of servers: failures have our words, by kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from provider.hosting.datastores.errors import StoreDenied, StoreError, StoreUnreachable

PART = 16 * 2**20  # bytes of a file that is sent in parts
KEY, SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"  # files of the mounted Secret


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where it is, and who we are there."""

    bucket: str
    folder: str  # in it, without a slash at its ends
    region: str
    endpoint: str | None = None
    credentials: Path | None = None  # a folder; None: whoever runs the node vouches for us


class Bucket:
    """See `keeping.Place`. Whom it trusts is the process's to say (SSL_CERT_FILE): the client takes it from nowhere else."""

    def __init__(self, address: Address) -> None:
        self._at = address
        found = address.credentials
        with self._told():
            self._store = S3Store(
                address.bucket,
                region=address.region,
                endpoint=address.endpoint,
                access_key_id=(found / KEY).read_text().strip() if found else None,
                secret_access_key=(found / SECRET).read_text().strip() if found else None,
                client_options={"allow_http": (address.endpoint or "").startswith("http://")},
                retry_config={"max_retries": 5, "retry_timeout": timedelta(minutes=2)},
            )

    def put(self, file: Path, name: str) -> None:
        """In parts; a bucket shows nothing of an object before its last part is there."""
        with self._told():
            obstore.put(self._store, self._path(name), file, chunk_size=PART)

    def read(self, name: str) -> Iterator[bytes]:
        """As the server gives it out."""
        with self._told():
            for chunk in obstore.get(self._store, self._path(name)).stream(min_chunk_size=PART):
                yield bytes(chunk)

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
        return f"{self._at.folder}/{name}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        at = f"bucket {self._at.bucket} of {self._at.endpoint or f'AWS in {self._at.region}'}"
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError):
            why = "are the keys of the Secret right, and may they write, read and delete?"
            raise StoreDenied(f"{at} does not let us: {why}") from None
        except FileNotFoundError as error:
            if error.filename:  # a file of ours
                raise
            raise StoreError(f"{at} does not exist: make it, or name another") from None
        except BaseError:
            raise StoreUnreachable(
                f"{at} does not answer as S3 does: are endpoint and region right, and who signed its certificate (ca.crt)?"
            ) from None
