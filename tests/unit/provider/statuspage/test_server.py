"""What the page answers when something is wrong: a status that means it, in JSON, and no token in it or in a log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from provider.cluster.errors import Forbidden, Unreachable
from provider.statuspage import server
from provider.statuspage.pages import NotAllowed, NotThere
from provider.statuspage.reviews import User

TOKEN = "a.secret.token"


class Pages:
    """Its answers are what the test says, or raised."""

    answer: Any = None
    known: Any = User("eve")

    @property
    def reviews(self) -> Pages:
        return self

    async def user(self, token: str) -> Any:
        if isinstance(self.known, Exception):
            raise self.known
        return self.known

    async def fleet(self, user: User) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def tenant(self, user: User, namespace: str, name: str) -> Any:
        return {"asked": [namespace, name]}


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
async def client(pages: Pages) -> AsyncIterator[TestClient[Any, Any]]:
    app = server.application(pages)  # type: ignore[arg-type]
    async with TestClient(TestServer(app)) as found:
        yield found


async def asked(client: TestClient[Any, Any], path: str = "/api/fleet", **headers: str) -> ClientResponse:
    found: ClientResponse = await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"} | headers)
    return found


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (NotAllowed("eve may not"), 403),
        (NotThere("there is none"), 404),
        (Unreachable("no answer"), 503),
        (TimeoutError(), 503),
    ],
)
async def test_what_goes_wrong_has_its_status_and_a_sentence(
    client: TestClient[Any, Any], pages: Pages, wrong: Exception, status: int
) -> None:
    pages.answer = wrong
    answer = await asked(client)
    assert answer.status == status
    assert (await answer.json())["error"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_without_the_right_to_ask_who_somebody_is_nobody_sees_anything_and_the_log_says_why(
    client: TestClient[Any, Any], pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    pages.known, pages.answer = Forbidden(403, "Forbidden", "cannot create tokenreviews"), {"tenants": []}
    with caplog.at_level(logging.INFO):
        answer = await asked(client)
    assert answer.status == 503
    assert "cannot create tokenreviews" in caplog.text
    assert TOKEN not in caplog.text + await answer.text()


@pytest.mark.parametrize("said", ["", "Bearer", "Bearer ", "Basic ZXZlOnB3", TOKEN])
async def test_what_is_no_bearer_token_is_not_even_asked_about(
    client: TestClient[Any, Any], pages: Pages, said: str
) -> None:
    pages.known = AssertionError("asked")
    answer = await asked(client, Authorization=said)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_what_the_page_has_already_is_not_sent_again(client: TestClient[Any, Any], pages: Pages) -> None:
    pages.answer = {"tenants": []}
    first = await asked(client)
    assert await first.json() == {"user": "eve", "tenants": []}
    tag = first.headers["ETag"]
    assert (await asked(client, **{"If-None-Match": tag})).status == 304
    pages.answer = {"tenants": ["another"]}
    assert (await asked(client, **{"If-None-Match": tag})).status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/tenants/team/demo", 200),
        ("/api/tenants/team/..", 404),
        ("/api/tenants/team/%2e%2e", 404),
        ("/api/tenants/team/a%2Fb", 404),
        ("/api/tenants/Team/demo", 404),
        ("/static/../server.py", 404),
        ("/server.py", 404),
        ("/index.html", 404),
    ],
)
async def test_a_path_that_names_no_tenant_is_not_looked_for(
    client: TestClient[Any, Any], path: str, status: int
) -> None:
    assert (await asked(client, path)).status == status


@pytest.mark.parametrize("path", server.FILES)
async def test_every_file_of_the_page_is_there_and_of_its_type(client: TestClient[Any, Any], path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.content_type) == (200, server.FILES[path][1])
    assert await answer.text()


async def test_no_file_of_the_page_has_script_or_style_in_it_that_the_policy_would_refuse(
    client: TestClient[Any, Any],
) -> None:
    for path in server.FILES:
        text = await (await client.get(path)).text()
        for each in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "style=",
            "onclick",
            "http://",
        ):
            assert each not in text.replace("http://www.w3.org/2000/svg", ""), f"{each} in {path}"
