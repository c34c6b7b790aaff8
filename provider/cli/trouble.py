"""What ends a command early, as one sentence and an exit status. Raised by commands, printed by `app`."""

from __future__ import annotations

ASKED_AND_NO = 1
"""The question was answered, and the answer is no: not ready, not fit, something would change."""
WRONG_USE = 2
"""Arguments that name nothing, or cannot be read."""
NO_ANSWER = 3
"""The API server cannot be reached, or does not let us."""
INTERRUPTED = 130
"""Ctrl-C, as shells count it."""


class Trouble(Exception):
    """A sentence for the user that says what is wrong and what to do; `status` is the exit status."""

    def __init__(self, sentence: str, status: int = WRONG_USE) -> None:
        super().__init__(sentence)
        self.status = status
