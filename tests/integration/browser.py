"""A headless Chromium, spoken to by its DevTools protocol: one page, what it says, and what is pressed in it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import signal
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE = 60.0
FLAGS = (
    *("--remote-debugging-port=0", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--no-proxy-server"),
)


@dataclass
class Browser:
    """One page of it. `faults` are exceptions, what its policy refused, and what else its console calls errors."""

    wire: aiohttp.ClientWebSocketResponse
    faults: list[str] = field(default_factory=list)
    requested: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _waiting: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self.wire.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE):
            return await self._waiting[number]

    async def ask(self, expression: str) -> Any:
        """What it is, in the page."""
        said = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, expression: str) -> Any:
        """What it is as soon as it is something."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (found := await self.ask(expression)):
                    await asyncio.sleep(0.05)
                return found
        except TimeoutError:
            raise AssertionError(f"{expression}: not so; {await self.text()!r}, {self.faults}") from None

    async def text(self) -> str:
        return str(await self.ask("document.body.innerText"))

    async def type(self, words: str) -> None:
        """Where the focus is, and Enter."""
        await self.call("Input.insertText", text=words)
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
            )

    async def look(self, file: Path, width: int = 1200, height: int = 900, *, dark: bool = False) -> int:
        """A screenshot of a window of that size; how wide the page is in it."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        said = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(file.write_bytes, base64.b64decode(said["data"]))
        return int(await self.ask("document.documentElement.scrollWidth"))

    async def roles(self) -> set[str]:
        """What a screen reader is told that there is."""
        said = await self.call("Accessibility.getFullAXTree")
        return {str(each["role"]["value"]) for each in said["nodes"] if "role" in each}

    async def hear(self) -> None:
        """Until it is closed."""
        async for message in self.wire:
            said = json.loads(message.data)
            if (waiting := self._waiting.pop(said.get("id", 0), None)) is not None and not waiting.done():
                waiting.set_result(said.get("result") or {"error": said.get("error")})
            elif said.get("method") == "Runtime.exceptionThrown":
                self.faults.append(str(said["params"]["exceptionDetails"]))
            elif said.get("method") == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.faults.append(str(said["params"]["entry"]["text"]))
            elif said.get("method") == "Network.requestWillBeSent":
                self.requested.append(said["params"]["request"])
        for each in self._waiting.values():
            if not each.done():
                each.set_exception(ConnectionError(f"the browser says no more: {self.wire.close_code}"))


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Browser]:
    """With an empty page."""
    home = folder / "chromium"
    command = ["chromium-headless-shell", *FLAGS, f"--user-data-dir={home}", "about:blank"]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=DEVNULL,
        stderr=DEVNULL,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        start_new_session=True,  # what is started is a script, and does not pass a signal on to what it starts
    )
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(await _page(session, home), max_msg_size=0) as wire,  # pages of many rows are told whole
        ):
            browser = Browser(wire)
            hearing = asyncio.create_task(browser.hear())
            for each in ("Page", "Runtime", "Log", "Network"):
                await browser.call(f"{each}.enable")
            yield browser
            hearing.cancel()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


async def _page(session: aiohttp.ClientSession, home: Path) -> str:
    """Where its page is spoken to; it says its port in a file."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(OSError, IndexError, aiohttp.ClientError, StopIteration):
                told = await asyncio.to_thread((home / "DevToolsActivePort").read_text)
                async with session.get(f"http://127.0.0.1:{told.splitlines()[0]}/json/list") as answer:
                    found = await answer.json()
                    return str(next(each["webSocketDebuggerUrl"] for each in found if each["type"] == "page"))
            await asyncio.sleep(0.05)
