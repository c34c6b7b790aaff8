"""The status page before a real API server: who sees what by his own rights, and what a real browser makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.servers import ApiServer
from tests.integration import browser as browsing
from tests.integration import page_world
from tests.integration.browser import Browser
from tests.integration.page_world import Page, tell
from tests.integration.tenant_world import TenantWorld

TENANTS = "tenantcontrolplanes"


@pytest.fixture
async def page(hosting: TenantWorld, api_server: ApiServer, namespace: str) -> AsyncIterator[Page]:
    async with page_world.served(hosting, api_server, namespace) as found:
        yield found


def names_of(said: Any) -> list[str]:
    return sorted(each["name"] for each in said["tenants"])


async def test_nobody_sees_anything_without_a_token_and_each_sees_what_he_may_list(page: Page) -> None:
    for path in ("/api/fleet", "/api/stores", f"/api/tenants/{page.mine}/well"):
        assert (await page.get(path))[0] == 401
        status, said, headers = await page.get(path, "eyJhbGciOi.bad.token")
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "bad.token" not in str(said)
    nobody = await page.token("nobody")
    for path in ("/api/fleet", "/api/stores", f"/api/tenants/{page.mine}/well", f"/api/tenants/{page.mine}/absent"):
        status, said, _ = await page.get(path, nobody)
        assert (status, "may not" in said["error"]) == (403, True), path

    own = await page.token("own", TENANTS, "services", "deployments")
    said = await page.seen("/api/fleet", own)
    assert (names_of(said), said["user"]) == (["ill", "well"], f"system:serviceaccount:{page.mine}:own")
    assert (await page.get(f"/api/tenants/{page.other}/hidden", own))[0] == 403
    assert (await page.get("/api/stores", own))[0] == 403
    one = await page.seen(f"/api/tenants/{page.mine}/ill", own)
    assert one["explanation"]["findings"][0]["message"].startswith("<img")
    assert one["hidden"] == ["ConfigMap", "Ingress", "NetworkPolicy", "Pod", "PodDisruptionBudget"]
    (branch,) = one["objects"]
    assert [(each["kind"], each["health"]) for each in branch["objects"]] == [("Service", "ok")]
    assert (await page.get(f"/api/tenants/{page.mine}/absent", own))[0] == 404

    everyone = await page.token("everyone", everywhere=[TENANTS, "datastores"])
    said = await page.seen("/api/fleet", everyone)
    assert {(each["namespace"], each["name"]) for each in said["tenants"]} >= {
        (page.other, "hidden"),
        (page.mine, "well"),
    }
    stores = await page.seen("/api/stores", everyone)
    drawn = {each["name"]: each for each in stores["stores"]}
    assert (drawn["one-of-pages"]["full"], drawn["two-of-pages"]["health"]) == (0.4, "bad")
    assert {each["name"]: each["state"] for each in drawn["one-of-pages"]["residents"]} == {
        **{f"{page.mine}/well": "Ready", f"{page.mine}/ill": "NotReady"},
        f"{page.other}/hidden": "Ready",
    }
    ours = str([each for name, each in drawn.items() if name.endswith("-of-pages")])
    assert not [each for each in (page_world.PASSWORD, "192.0.2.1:4222") if each in ours]


async def test_every_answer_has_its_headers_nothing_is_written_and_what_is_known_is_not_sent_twice(page: Page) -> None:
    token = await page.token("looker", everywhere=[TENANTS])
    await page.seen("/api/fleet", token)
    answers = [
        await page.get("/"),
        await page.get("/page.js"),
        await page.get("/absent"),
        await page.get("/api/fleet"),
        await page.get("/api/fleet", token),
        *[
            await page.get("/api/fleet", token, method=each)
            for each in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
        ],
    ]
    assert [each[0] for each in answers] == [200, 200, 404, 401, 200, *([405] * 6)]
    for _, _, headers in answers:
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
        assert "Set-Cookie" not in headers
        assert "Access-Control-Allow-Origin" not in headers
    tag = answers[4][2]["ETag"]
    again = await page.get("/api/fleet", token, **{"If-None-Match": tag})
    assert (again[0] == 304) or again[2]["ETag"] != tag  # ages of seconds move
    written = {each.path for each in page.asked if each.method != "GET"}
    assert written == {
        "/apis/authentication.k8s.io/v1/tokenreviews",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    }
    assert not [each.path for each in page.asked if "secrets" in each.path]


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with browsing.opened(tmp_path) as found:
        yield found


ROW = "document.querySelector('a[href=\"#/tenants/{}/{}\"]')?.closest('tr')"


async def test_in_a_browser_a_tenant_is_followed_live_and_what_it_says_is_text(
    page: Page, browser: Browser, tmp_path: Path
) -> None:
    objects = ("pods", "deployments", "services")
    token = await page.token("sees", *objects, everywhere=[TENANTS, "datastores", "datastorepools"])
    await page.seen("/api/fleet", token)
    await browser.call("Page.navigate", url=page.url)
    await browser.until("document.activeElement?.id === 'token'")
    await browser.type("nonsense")
    await browser.until("document.getElementById('news').textContent.includes('does not know this token')")
    await browser.type(token)
    ill, well = (ROW.format(page.mine, name) for name in ("ill", "well"))
    assert "NotReady" in await browser.until(f"({ill})?.innerText")
    assert "<img src=x onerror=" in await browser.ask(f"({ill}).innerText")
    assert "▲" in await browser.ask(f"getComputedStyle(({ill}).querySelector('.sign'), '::before').content")
    assert await browser.look(tmp_path / "fleet.png") <= 1200
    assert await browser.look(tmp_path / "fleet-narrow.png", 400, 900, dark=True) <= 400
    assert {"table", "row", "columnheader", "cell"} <= await browser.roles()

    await tell(page.admin, page.mine, "well", ready=False, message="its pods do not start")
    await browser.until(f"({well}).innerText.includes('its pods do not start')")

    await browser.ask(f"({ill}).querySelector('a').focus()")
    await browser.type("")
    await browser.until("document.querySelector('.finding')?.innerText.includes('<script>')")
    assert await browser.look(tmp_path / "tenant.png") <= 1200
    assert await browser.look(tmp_path / "tenant-narrow.png", 400, 900) <= 400

    await browser.ask("location.hash = '#/stores'")
    await browser.until("document.querySelectorAll('figure.pool svg').length >= 2")
    label = await browser.ask("document.querySelector('svg[aria-label*=\"one-of-pages\"]').getAttribute('aria-label')")
    assert label == "Store one-of-pages: 40 % full, 3 tenants"
    marks = "document.querySelectorAll('svg[aria-label*=\"one-of-pages\"] a {}.tenant').length"
    assert [await browser.ask(marks.format(each)) for each in ("rect", "polygon")] == [1, 2]
    assert await browser.look(tmp_path / "stores.png") <= 1200
    assert await browser.look(tmp_path / "stores-narrow.png", 400, 900, dark=True) <= 400

    assert await browser.ask("document.title") == "Stores · Kamaji"
    assert await browser.ask("document.querySelectorAll('main img, main script').length") == 0
    assert not [
        each for each in browser.requested if token in each["url"] or not each["url"].startswith((page.url, "data:"))
    ]
    assert browser.faults == [fault for fault in browser.faults if "401" in fault], browser.faults
    await browser.ask("document.getElementById('leave').click()")
    assert await browser.ask("sessionStorage.length + localStorage.length + document.cookie.length") == 0
