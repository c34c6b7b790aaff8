"""Who asks, and what he may see: a TokenReview, and a SubjectAccessReview for each question. The API server decides, not we.

An answer counts for seconds. A token is remembered by its hash alone, and is in no log and in no error.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from provider.api import kinds
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.statuspage.kept import Kept

LIFE = 10.0  # seconds after which a token that was revoked, or a right that was taken, counts no more
TOKENS, RIGHTS = 256, 8192  # remembered at most
AT_ONCE = 8  # SubjectAccessReviews of somebody who may see some namespaces only


@dataclass(frozen=True, slots=True)
class User:
    """As the API server knows him."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def said(self) -> dict[str, Any]:
        """As a SubjectAccessReview names him."""
        extra = {key: list(values) for key, values in self.extra}
        return {"user": self.name, "uid": self.uid, "groups": list(self.groups), "extra": extra}


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a kind: everywhere, in a namespace, or on one object."""

    verb: str
    kind: Kind
    namespace: str = ""
    name: str = ""

    def said(self) -> dict[str, str]:
        """As a SubjectAccessReview names it."""
        version = self.kind.api_version.rpartition("/")[2]
        what = {"group": self.kind.group, "version": version, "resource": self.kind.plural, "verb": self.verb}
        return what | {"namespace": self.namespace, "name": self.name}


class Reviews:
    """Asked for every answer of the page. ApiError when the API server does not say."""

    def __init__(self, cluster: Cluster, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._users: Kept[bytes, User | None] = Kept(LIFE, TOKENS, monotonic)
        self._rights: Kept[tuple[User, Right], bool] = Kept(LIFE, RIGHTS, monotonic)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def user(self, token: str) -> User | None:
        """Whose token it is; None where it is nobody's."""
        return await self._users.get(hashlib.sha256(token.encode()).digest(), lambda: self._identified(token))

    async def may(self, user: User, right: Right) -> bool:
        """Whether he may."""
        return await self._rights.get((user, right), lambda: self._reviewed(user, right))

    async def within(self, user: User, verb: str, kind: Kind, namespaces: Iterable[str]) -> frozenset[str] | None:
        """In which of these namespaces he may; None: in all there are."""
        if await self.may(user, Right(verb, kind)):
            return None
        asked = sorted(set(namespaces))
        answers = await asyncio.gather(*(self.may(user, Right(verb, kind, each)) for each in asked))
        return frozenset(each for each, yes in zip(asked, answers, strict=True) if yes)

    async def _identified(self, token: str) -> User | None:
        status = await self._asked(kinds.TOKEN_REVIEW, {"token": token})
        said = status.get("user") or {}
        if not status.get("authenticated") or not said.get("username"):
            return None
        extra = tuple((key, tuple(values)) for key, values in sorted((said.get("extra") or {}).items()))
        return User(said["username"], said.get("uid") or "", tuple(said.get("groups") or ()), extra)

    async def _reviewed(self, user: User, right: Right) -> bool:
        async with self._turns:
            spec = user.said() | {"resourceAttributes": right.said()}
            status = await self._asked(kinds.SUBJECT_ACCESS_REVIEW, spec)
        return bool(status.get("allowed")) and not status.get("denied")

    async def _asked(self, kind: Kind, spec: dict[str, Any]) -> dict[str, Any]:
        review = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}, "spec": spec}
        answer = await self._cluster.create(review)
        return dict(answer.get("status") or {})
