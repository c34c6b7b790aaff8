"""`kamaji` as people run it: a process with a kubeconfig."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from lab.servers import ApiServer

PROGRAM = "from provider.cli.app import main; main()"


class Kamaji:
    """Runs it, as from a pipe."""

    def __init__(self, kubeconfig: Path, home: Path) -> None:
        self.kubeconfig = kubeconfig
        self.home = home

    @classmethod
    def of(cls, server: ApiServer, namespace: str, folder: Path, *user: str) -> Kamaji:
        """With a kubeconfig of its own, whose context names the namespace; of a user and his groups, else an administrator."""
        file = folder / f"kubeconfig-of-{user[0] if user else 'admin'}"
        document = yaml.safe_load(server.kubeconfig(*user))
        document["contexts"][0]["context"]["namespace"] = namespace
        file.write_text(yaml.safe_dump(document))
        return cls(file, folder)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home)}

    async def __call__(self, *arguments: str, said: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", PROGRAM, *arguments],
            env={**self.environment, **environment},
            input=said,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    async def data(self, *arguments: str) -> Any:
        done = await self(*arguments, "-o", "json")
        return json.loads(done.stdout)

    async def stopped(self, *arguments: str, at: str) -> tuple[int, str]:
        """Ctrl-C as soon as it says that on standard error; its exit status and what it said there after that."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, *arguments),
            env=self.environment,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=heeding,
        )
        assert process.stderr is not None
        async with asyncio.timeout(180):
            while at not in (line := (await process.stderr.readline()).decode()):
                assert line, f"it ended without saying {at!r}"
            process.send_signal(signal.SIGINT)
            rest = (await process.stderr.read()).decode()
            return await process.wait(), rest


def heeding() -> None:
    """Ctrl-C is heeded also where the tests run behind a shell that ignores it for what it has in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
