"""A real S3 API on loopback, with TLS: a folder a bucket. Ended by its own id."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab import programs
from lab.servers import PATIENCE, Authority, free_port, listens
from provider.manifest import meta

KEY, SECRET = "key-of-tests", "a-secret-of-tests"


@dataclass
class ObjectStore:
    """versitygw over `folder`."""

    folder: Path
    authority: Authority = field(default_factory=Authority)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def bucket(self, name: str) -> Path:
        """Made where it is not."""
        found = self.folder / "buckets" / name
        found.mkdir(parents=True, exist_ok=True)
        return found

    def credentials(self, secret: str = SECRET) -> dict[str, str]:
        """Data of a Secret."""
        data = {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": secret,
            "ca.crt": self.authority.certificate.decode(),
        }
        return meta.secret_data(data)

    def start(self) -> ObjectStore:
        server = self.authority.server()
        self.bucket("backups")
        for name, content in (("server.crt", server.certificate), ("server.key", server.key)):
            (self.folder / name).write_bytes(content)
        said = [f"--port=127.0.0.1:{self.port}", "--quiet"]
        said += [f"--cert={self.folder / 'server.crt'}", f"--key={self.folder / 'server.key'}"]
        environment = {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET, "PATH": os.environ["PATH"]}
        command = [programs.path("versitygw"), *said, "posix", self.folder / "buckets"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + PATIENCE
        while not listens(self.port):
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
