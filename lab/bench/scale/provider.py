"""The provider as a process of its own, as in its pod, and what its metrics say."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from lab.bench.scale import gauge
from lab.servers import free_ports

PATIENCE = 900.0
QUIET, SHARE = 4.0, 0.08  # it is at rest when for so many seconds it took less than this share of a core
PASSES, FAILURES = "kamaji_reconcile_seconds_count", "kamaji_reconcile_errors_total"
AGAIN = re.compile(r"(\w+) (\([^)]*\)).* again in \d")


@dataclass
class Provider:
    """`python -m provider run` against a kubeconfig; `settings` are KAMAJI_*."""

    folder: Path
    kubeconfig: Path
    settings: dict[str, str]
    module: str = "provider"
    extra: dict[str, str] = field(default_factory=dict)  # of its environment
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    _ports: tuple[int, ...] = ()

    @property
    def pid(self) -> int:
        """While it runs."""
        assert self.process is not None and self.process.poll() is None, f"the provider ended: {self._last_words()}"
        return self.process.pid

    def start(self) -> None:
        """Run it; nothing is waited for."""
        health, metrics = self._ports = free_ports(2)
        settings = {f"KAMAJI_{key.upper()}": value for key, value in self.settings.items()}
        settings |= {"KAMAJI_HEALTH_PORT": str(health), "KAMAJI_METRICS_PORT": str(metrics)}
        command = [sys.executable, "-m", self.module, "run", "--kubeconfig", str(self.kubeconfig)]
        with (self.folder / "provider.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=os.environ | settings | self.extra, stdout=log, stderr=log)
        self.started = time.monotonic()

    def stop(self) -> None:
        """As a pod is stopped."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            self.process.kill()
            self.process.wait()
            self.process = None

    def reading(self) -> gauge.Reading:
        """What it takes now."""
        return gauge.of(self.pid)

    async def passes(self, queue: str = "tenant") -> int:
        """Of one queue, since its start."""
        return int(sum(await self._metric(f'{PASSES}{{kind="{queue}"')))

    async def failures(self) -> int:
        """Passes that failed, of all queues, since its start."""
        return int(sum(await self._metric(FAILURES)))

    def failed(self) -> Counter[str]:
        """The same by what the pass was about, as its log tells, over all its lives."""
        log = (self.folder / "provider.log").read_text(errors="replace")
        return Counter(f"{queue} {key}" for queue, key in AGAIN.findall(log))

    async def at_rest(self, passes: int) -> float:
        """Seconds from its start until it rested, having taken so many passes."""
        async with asyncio.timeout(PATIENCE):
            while True:
                before, since = self.reading().cpu, time.monotonic()
                await asyncio.sleep(QUIET)
                if self.reading().cpu - before < SHARE * QUIET and await self.passes() >= passes:
                    return since - self.started

    def _last_words(self) -> str:
        return (self.folder / "provider.log").read_text(errors="replace")[-3000:]

    async def _metric(self, begins: str) -> list[float]:
        try:
            url = f"http://127.0.0.1:{self._ports[1]}/metrics"
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                text = await answer.text()
        except aiohttp.ClientError:
            return []
        return [float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(begins)]
