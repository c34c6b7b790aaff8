"""Questions about a cluster or a tenant, a line each: what is well, what is not, what cannot be told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from provider.cluster.errors import ApiError, Forbidden, NotFound
from provider.overview.rows import Column, Row

Verdict = Literal["ok", "unsure", "bad"]
Answer = tuple[Verdict, str]
Question = tuple[str, Callable[[], Awaitable[Answer]]]
COLUMNS = (Column("", "verdict"), Column("QUESTION", "question"), Column("ANSWER", "answer"))


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question, its answer, and what to do where that is not good."""

    question: str
    verdict: Verdict
    answer: str

    def row(self) -> Row:
        """As plain data."""
        return {"verdict": self.verdict, "question": self.question, "answer": self.answer}


async def asked(questions: Sequence[Question]) -> list[Check]:
    """All answers, in order. What cannot be asked is said to be so, and ends nothing."""
    return list(await asyncio.gather(*(_asked(question, ask) for question, ask in questions)))


async def _asked(question: str, ask: Callable[[], Awaitable[Answer]]) -> Check:
    try:
        verdict, answer = await ask()
    except Forbidden:
        verdict, answer = "unsure", "you may not read what this needs"
    except NotFound:
        verdict, answer = "bad", "the cluster knows no such kind: is the provider installed?"
    except ApiError as error:
        verdict, answer = "bad", error.message
    return Check(question=question, verdict=verdict, answer=answer)
