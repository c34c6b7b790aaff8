"""Where a folder of a bucket is, and who we are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provider.api import bucket


@dataclass(frozen=True)
class Keys:
    """Of access."""

    identity: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, data: Mapping[str, bytes]) -> Keys | None:
        """Those of a Secret; None when one is not there."""
        found = [data.get(each, b"").decode(errors="replace").strip() for each in (bucket.IDENTITY, bucket.SECRET)]
        return cls(*found) if all(found) else None


@dataclass(frozen=True, kw_only=True)
class Address:
    """`str` of it is how messages call it."""

    bucket: str
    folder: str  # in it, without a slash at its ends
    region: str
    endpoint: str | None = None  # without a slash at its end; None: AWS's of the region
    keys: Keys | None = None  # None: whoever runs the node vouches for us

    def path(self, name: str) -> str:
        """Of a file of the folder, in the bucket."""
        return f"{self.folder}/{name}" if self.folder else name

    @property
    def url(self) -> str:
        """Of the S3 API."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"

    def __str__(self) -> str:
        return f"bucket {self.bucket} of {self.endpoint or f'AWS in {self.region}'}"
