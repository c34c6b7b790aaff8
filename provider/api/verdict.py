"""The two ways a pure part can decline: wait, or ask the user. Raised by builders, caught by reconcile.

    Verdict
    ├── NotReady   something we wait for; the pass goes on with what does not need it
    └── Invalid    the user must act; no retry until what he wrote changes

Any other exception is a bug of ours or an outage: back-off and a traceback.
"""

from __future__ import annotations


class Verdict(Exception):
    """A stable CamelCase `reason` (a condition's reason) and a `message` that says what is wrong, where, what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class NotReady(Verdict):
    """Wait: the condition is False with this reason; not an error."""


class Invalid(Verdict):
    """The user must act: retried only when the spec or what it names changes."""
