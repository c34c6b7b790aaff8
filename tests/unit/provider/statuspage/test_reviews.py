"""The API server is asked who somebody is and what he may, by his own name and groups, and not more often than needed."""

from __future__ import annotations

from typing import Any

from provider.api import kinds
from provider.statuspage import reviews
from provider.statuspage.reviews import Reviews, Right, User

WHO = {"username": "eve", "uid": "7", "groups": ["team"], "extra": {"scopes": ["b", "a"]}}


class Server:
    """Knows one token; eve may list tenants in two namespaces."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.server = "https://tests"

    async def create(self, review: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(review["spec"])
        if review["kind"] == "TokenReview":
            known = review["spec"]["token"] == "right"
            return {"status": {"authenticated": known, "user": WHO if known else {}}}
        what = review["spec"]["resourceAttributes"]
        return {"status": {"allowed": what["namespace"] in ("a", "b"), "denied": what["namespace"] == "b"}}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Server, Clock, Reviews]:
    server, clock = Server(), Clock()
    return server, clock, Reviews(server, clock)  # type: ignore[arg-type]


async def test_a_token_is_somebodys_or_nobodys_and_is_not_remembered_itself() -> None:
    server, _, found = made()
    user = await found.user("right")
    assert user == User("eve", "7", ("team",), (("scopes", ("b", "a")),))
    assert await found.user("wrong") is None
    assert await found.user("wrong") is None
    assert len(server.asked) == 2
    assert not [key for key in found._users._found if b"right" in key or b"wrong" in key]


async def test_a_user_is_asked_about_with_all_that_the_api_server_said_of_him() -> None:
    server, _, found = made()
    user = await found.user("right")
    assert user is not None
    assert await found.may(user, Right("list", kinds.TENANT_CONTROL_PLANE, "a"))
    assert server.asked[-1] == {
        **{"user": "eve", "uid": "7", "groups": ["team"], "extra": {"scopes": ["b", "a"]}},
        "resourceAttributes": {
            **{"group": "kamaji.clastix.io", "version": "v1alpha1", "resource": "tenantcontrolplanes"},
            **{"verb": "list", "namespace": "a", "name": ""},
        },
    }


async def test_who_may_not_everywhere_is_asked_about_by_namespace_and_a_denial_counts_more_than_a_right() -> None:
    _, _, found = made()
    assert await found.within(User("eve"), "list", kinds.TENANT_CONTROL_PLANE, ["a", "b", "c"]) == {"a"}


async def test_a_right_counts_for_seconds_and_is_another_users_never() -> None:
    server, clock, found = made()
    right = Right("list", kinds.TENANT_CONTROL_PLANE, "a")
    for each in ("eve", "eve", "adam"):
        assert await found.may(User(each), right)
    assert len(server.asked) == 2
    clock.now = reviews.LIFE
    await found.may(User("eve"), right)
    assert len(server.asked) == 3
