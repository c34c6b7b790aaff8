"""A bucket of an S3 API and the Secret with its keys: a pool's snapshots and tenants' backups lie in such."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from provider.api.model import Model

BucketName = Annotated[str, Field(min_length=3, max_length=63, pattern="^[a-z0-9][a-z0-9.-]*[a-z0-9]$")]
Prefix = Annotated[str, Field(pattern="^([A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*)?$", max_length=500)]
Region = Annotated[str, Field(pattern="^[A-Za-z0-9-]+$", max_length=64)]
Endpoint = Annotated[str, Field(pattern="^https?://[A-Za-z0-9.:\\[\\]-]+$", max_length=300)]
SOMEWHERE: Final = "us-east-1"
"""The region that S3 look-alikes take when nobody has told them another."""

IDENTITY, SECRET, AUTHORITY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ca.crt"
"""What such a Secret has. The last one only where the endpoint's certificate is signed by an authority of one's own."""


class Bucket(Model):
    """A bucket of an S3 API, of AWS or of anybody else. By which Secret it is reached is said by who keeps something in it."""

    bucket: BucketName
    prefix: Annotated[
        Prefix, Field(description="Folder in it. Each store, or tenant, has a folder of its own below.")
    ] = ""
    region: Region = SOMEWHERE
    endpoint: Annotated[
        Endpoint | None,
        Field(description="Such as https://minio.example.com:9000; where absent, AWS's of the region."),
    ] = None
