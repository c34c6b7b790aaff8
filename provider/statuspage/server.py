"""HTTP of the status page, on the loopback of its pod: whoever may forward a port reaches it, and no token crosses a network.

GET alone. What is under /api needs a bearer token, and is answered by its user's own rights. Called by `__main__`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from aiohttp import web

from provider.cluster.errors import ApiError
from provider.cluster.runtime import Runtime
from provider.statuspage.pages import NotAllowed, NotThere, Pages
from provider.statuspage.reviews import User

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "kamaji",
}
FILES = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/views.js": ("views.js", "text/javascript"),
    "/elements.js": ("elements.js", "text/javascript"),
    "/picture.js": ("picture.js", "text/javascript"),
}
TENANT = r"/api/tenants/{namespace:[a-z0-9][a-z0-9-]{0,62}}/{name:[a-z0-9][a-z0-9.-]{0,252}}"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Callable[[User, web.Request], Awaitable[dict[str, Any]]]


async def serve(runtime: Runtime) -> None:
    """Until cancelled."""
    pages = Pages.of(runtime)
    runner = web.AppRunner(application(pages), access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, ADDRESS, runtime.settings.status_page_port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        await pages.stop()


def application(pages: Pages) -> web.Application:
    """Its routes, each with the headers."""
    door = Door(pages)
    app = web.Application(middlewares=[told])
    app.on_response_prepare.append(_headed)
    for path, (name, kind) in FILES.items():
        app.router.add_get(path, _file(name, kind), allow_head=False)
    app.router.add_get("/api/fleet", door.opened(lambda user, _: pages.fleet(user)), allow_head=False)
    app.router.add_get("/api/stores", door.opened(lambda user, _: pages.stores(user)), allow_head=False)
    app.router.add_get(
        TENANT, door.opened(lambda user, request: pages.tenant(user, **request.match_info)), allow_head=False
    )
    return app


@dataclass(frozen=True)
class Door:
    """Nobody gets past it without a token that is somebody's."""

    pages: Pages

    def opened(self, answer: Answer) -> Handler:
        """The answer as JSON; 304 where the page has it already."""

        async def handler(request: web.Request) -> web.Response:
            user = await self._user(request)
            said = {"user": user.name} | await answer(user, request)
            body = json.dumps(said, ensure_ascii=False).encode()
            tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            if request.headers.get("If-None-Match") == tag:
                return web.Response(status=304, headers={"ETag": tag})
            return web.Response(body=body, content_type="application/json", charset="utf-8", headers={"ETag": tag})

        return handler

    async def _user(self, request: web.Request) -> User:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unknown("this needs a bearer token")
        user = await self.pages.reviews.user(token.strip())
        if user is None:
            raise _unknown("the API server does not know this token, or not any more")
        return user


@web.middleware
async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What goes wrong, as JSON with its status."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _said(error.status, error.text or error.reason, error.headers.get("Allow"))
    except NotAllowed as error:
        return _said(403, str(error))
    except NotThere as error:
        return _said(404, str(error))
    except (ApiError, TimeoutError) as error:
        log.warning("status page: the API server did not answer %s: %s", request.path, error)
        return _said(503, "the provider has no answer from the API server: its log says why")


def _unknown(words: str) -> web.HTTPException:
    return web.HTTPUnauthorized(text=words)


def _said(status: int, words: str, allow: str | None = None) -> web.Response:
    headers = {"Allow": allow} if allow else {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return web.json_response({"error": words}, status=status, headers=headers)


def _file(name: str, kind: str) -> Handler:
    body = resources.files("provider.statuspage").joinpath("static", name).read_bytes()

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8")

    return handler


async def _headed(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
