"""What can go wrong with an API server, in our words. Raised by `cluster.client`; the HTTP client's exceptions never leave it.

    ApiError
    ├── NotFound          404: the object or its kind does not exist
    ├── Conflict          409: somebody wrote meanwhile, owns a field, or the name is taken
    ├── Expired           410: a resource version or a page that the server no longer has
    ├── Unauthorized      401: it does not know us
    ├── Forbidden         403: it knows us and says no (also an admission webhook)
    ├── Refused           400, 413, 415, 422, and 500 of an unknown field: what we sent is wrong; `causes` name the fields
    ├── TooManyRequests   429: later, after `retry_after` seconds
    └── Unreachable       no answer: connection, TLS, time-out, or 502, 503, 504

Anything else (500) is an ApiError itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One fault of a refused object: the field's path (may be empty) and what is wrong with it."""

    field: str
    message: str


class ApiError(Exception):
    """An API server's answer that is no success. `status` is the HTTP status, 0 when there was no answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message or reason)
        self.status = status
        self.reason = reason
        self.message = message or reason


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409."""


class Expired(ApiError):
    """410."""


class Unauthorized(ApiError):
    """401."""


class Forbidden(ApiError):
    """403."""


class Refused(ApiError):
    """What we sent is wrong. `message` is the API server's own; `causes` name the fields."""

    def __init__(self, status: int, reason: str, message: str, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(status, reason, message)
        self.causes = causes


class TooManyRequests(ApiError):
    """429. `retry_after` is in seconds, as the server asks; 0 when it does not say."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(status, reason, message)
        self.retry_after = retry_after


class Unreachable(ApiError):
    """No API server answered."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(status, "Unreachable", message)


BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
}
REFUSALS = (400, 405, 406, 413, 415, 422)
ABSENCES = (502, 503, 504)
UNTYPED = (
    "failed to create typed patch object"  # how API servers refuse an apply with a field that the kind has not: by 500
)


def of(status: int, body: bytes, retry_after: str = "") -> ApiError:
    """The error that an answer with this HTTP status and body (metav1.Status, or whatever a proxy says) stands for."""
    said = _status(body)
    reason = str(said.get("reason") or f"HTTP{status}")
    message = str(said.get("message") or f"the API server answered {status}")
    if status in REFUSALS or (status == 500 and message.startswith(UNTYPED)):
        return Refused(status, reason, message, _causes(said))
    if status == 429:
        return TooManyRequests(status, reason, message, _seconds(retry_after))
    if status in ABSENCES:
        return Unreachable(message, status)
    return BY_STATUS.get(status, ApiError)(status, reason, message)


def _status(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _causes(said: dict[str, Any]) -> tuple[Cause, ...]:
    details = said.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    found = [each for each in causes or () if isinstance(each, dict)]
    return tuple(Cause(str(each.get("field", "")), str(each.get("message", ""))) for each in found)


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdigit() else 0.0
