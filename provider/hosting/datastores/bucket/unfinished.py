"""Uploads in parts that nobody finishes: a bucket does not show them, and keeps and charges for them until they are ended.

The client has no call for this, so the two requests are signed here, as AWS' Signature Version 4 says. A bucket that does not
let us look, or does not know how, keeps what it has: a rule of its own can end them as well.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener
from xml.etree import ElementTree

from provider.hosting.datastores.bucket.address import Address

OLD = timedelta(days=1)  # no Job of ours is at work for so long
PATIENCE = 10.0  # seconds for an answer
LONGEST = 2**22  # bytes of a list
NOTHING = hashlib.sha256(b"").hexdigest()
UNRESERVED = "-_.~"


def end(address: Address, name: str) -> None:
    """End all uploads of this file, and old ones of files of its kind in the folder. Never fails."""
    if address.keys is None:
        return
    try:
        for key, upload in _found(address, name):
            _asked(address, "DELETE", f"/{address.bucket}/{key}", {"uploadId": upload})
    except (OSError, ValueError, ElementTree.ParseError):  # it is not what we came for
        return


def _found(address: Address, name: str) -> Iterator[tuple[str, str]]:
    """(key, upload). A list of more than a thousand goes on the next time."""
    answer = _asked(address, "GET", f"/{address.bucket}", {"uploads": "", "prefix": address.path("")})
    own, oldest = address.path(name), datetime.now(UTC) - OLD
    for each in ElementTree.fromstring(answer).iterfind(".//{*}Upload"):  # noqa: S314  (of the server the user named)
        key, upload = each.findtext("{*}Key", ""), each.findtext("{*}UploadId", "")
        begun = datetime.fromisoformat(each.findtext("{*}Initiated", ""))
        if key == own or (_is_alike(key, own) and begun < oldest):
            yield key, upload


def _is_alike(key: str, own: str) -> bool:
    one, other = PurePosixPath(key), PurePosixPath(own)
    return (one.parent, one.suffix) == (other.parent, other.suffix)


def _asked(address: Address, method: str, path: str, query: Mapping[str, str]) -> bytes:
    """The answer. OSError when there is none, or it is a refusal."""
    headers = signed(address, method, path, query, datetime.now(UTC))
    request = Request(f"{address.url}{_quoted(path)}?{_joined(query)}", headers=headers, method=method)  # noqa: S310  (http or https, by the CRD)
    opener = build_opener(HTTPSHandler(context=ssl.create_default_context()), _Straight)
    with opener.open(request, timeout=PATIENCE) as answer:
        found: bytes = answer.read(LONGEST)
    return found


class _Straight(HTTPRedirectHandler):
    """Whom the user named, and nobody whom that one names."""

    def redirect_request(self, *_: Any) -> None:
        return None


def signed(address: Address, method: str, path: str, query: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Headers of a request without a body."""
    assert address.keys is not None, "who is not known asks for nothing"
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": urlsplit(address.url).netloc, "x-amz-content-sha256": NOTHING, "x-amz-date": moment}
    said = [method, _quoted(path), _joined(query), *(f"{key}:{value}" for key, value in headers.items())]
    request = "\n".join([*said, "", ";".join(headers), NOTHING])
    scope = [moment[:8], address.region, "s3", "aws4_request"]
    key = b"AWS4" + address.keys.secret.encode()
    for each in scope:
        key = hmac.digest(key, each.encode(), "sha256")
    told = ["AWS4-HMAC-SHA256", moment, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()]
    signature = hmac.digest(key, "\n".join(told).encode(), "sha256").hex()
    who = f"{address.keys.identity}/{'/'.join(scope)}"
    said_by = f"Credential={who}, SignedHeaders={';'.join(headers)}, Signature={signature}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {said_by}"}


def _quoted(path: str) -> str:
    return quote(path, safe=f"/{UNRESERVED}")


def _joined(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(key, safe=UNRESERVED)}={quote(query[key], safe=UNRESERVED)}" for key in sorted(query))
