"""Real database servers on loopback or on an address of the lab, for tests of drivers. Ended by their own ids.

They come from Debian and run as the users that Debian gave them, for none runs as root.
"""

from __future__ import annotations

import base64
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psycopg

from lab import programs
from lab.servers import PATIENCE, Authority, free_port
from provider.hosting.storematerial import Access
from provider.manifest import Manifest
from provider.manifest.x509 import Pair

ROOT, PASSWORD = "root-of-tests", "a password of root's"
LOOPBACK = "127.0.0.1"
POSTGRES = Path("/usr/lib/postgresql/15/bin")


@dataclass
class Database:
    """A server. With an authority it speaks TLS only; `certified`: who connects has to show a certificate of it as well."""

    authority: Authority | None = None
    certified: bool = False
    address: str = LOOPBACK
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    DRIVER = ""
    PASSWORD = PASSWORD
    USER = "root"  # of the system, as which it runs

    def __post_init__(self) -> None:
        """A folder that its user may enter: pytest's own are root's alone."""
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.DRIVER.lower()}-", dir="/tmp"))
        for name, content in self._certificates().items():
            (self.folder / name).write_bytes(content)
            (self.folder / name).chmod(0o600)
            shutil.chown(self.folder / name, self.USER)
        shutil.chown(self.folder, self.USER)

    def _certificates(self) -> dict[str, bytes]:
        if self.authority is None:
            return {}
        server = self.authority.server("database", addresses=frozenset({self.address}))
        return {"ca.crt": self.authority.certificate, "server.crt": server.certificate, "server.key": server.key}

    @property
    def endpoint(self) -> str:
        return f"{self.address}:{self.port}"

    @cached_property
    def client(self) -> Pair | None:
        """What root shows, the same each time."""
        return self.authority.client(ROOT) if self.authority and self.certified else None

    def access(self, **changes: Any) -> Access:
        """As root."""
        said: dict[str, Any] = {
            "driver": self.DRIVER,
            "endpoints": (self.endpoint,),
            "ca": self.authority.certificate if self.authority else b"",
            "client": self.client,
            "user": ROOT,
            "password": self.PASSWORD,
        }
        return Access(**(said | changes))

    def spec(self) -> Manifest:
        """Of a DataStore, content in place."""
        basic = {"username": _content(ROOT.encode()), "password": _content(self.PASSWORD.encode())}
        spec: Manifest = {"driver": self.DRIVER, "endpoints": [self.endpoint], "basicAuth": basic}
        if self.authority:
            pair = self.authority.pair
            authority = {"certificate": _content(pair.certificate), "privateKey": _content(pair.key)}
            spec["tlsConfig"] = {"certificateAuthority": authority}
            if client := self.client:
                shown = {"certificate": _content(client.certificate), "privateKey": _content(client.key)}
                spec["tlsConfig"]["clientCertificate"] = shown
        return spec

    @contextmanager
    def running(self) -> Iterator[Self]:
        """From its start to its end, of which nothing is left."""
        try:
            self.start()
            yield self
        finally:
            self.remove()

    def start(self) -> Database:
        self.process = self._run(self._command())
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, f"{self.DRIVER} ended: {self._last_words()}"
            assert time.monotonic() < deadline, f"{self.DRIVER} does not answer: {self._last_words()}"
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """At once; its children end with it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
            self.process = None

    def cut(self) -> None:
        """As a power cut would: none of its processes does another thing."""
        assert self.process is not None
        pid = self.process.pid
        for each in (*Path(f"/proc/{pid}/task/{pid}/children").read_text().split(), pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(each), signal.SIGKILL)
        self.process.wait()
        self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        """As the system's user that it belongs to."""
        user = pwd.getpwnam(self.USER)
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                cwd=self.folder,
                env=environment,
            )

    def _last_words(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-3000:]


@dataclass
class Postgres(Database):
    """PostgreSQL of Debian."""

    DRIVER = "PostgreSQL"
    USER = "postgres"

    async def connected(self, database: str, user: str, password: str) -> Any:
        """Its own client, without a driver of ours between."""
        said: dict[str, Any] = {"host": self.address, "port": self.port, "user": user, "password": password}
        return await psycopg.AsyncConnection.connect(**said, dbname=database, autocommit=True)

    def _command(self) -> list[str]:
        data = self.folder / "data"
        if not data.exists():
            (self.folder / "password").write_text(PASSWORD)
            shutil.chown(self.folder / "password", self.USER)
            made = [f"--username={ROOT}", f"--pwfile={self.folder / 'password'}", "--auth=scram-sha-256", "--no-sync"]
            initdb = self._run([str(POSTGRES / "initdb"), f"--pgdata={data}", "--encoding=UTF8", *made])
            assert initdb.wait() == 0, self._last_words()
            (data / "pg_hba.conf").write_text(self._doors())
        said = {"port": str(self.port), "listen_addresses": self.address, "fsync": "off", "unix_socket_directories": ""}
        said |= {"max_connections": "300", "timezone": "UTC"}
        if self.authority:
            files = {"ssl_ca_file": "ca.crt", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
            said |= {"ssl": "on", **{key: str(self.folder / each) for key, each in files.items()}}
        return [str(POSTGRES / "postgres"), "-D", str(data), *(f"--{key}={value}" for key, value in said.items())]

    def _doors(self) -> str:
        if self.authority is None:
            return "host all all 0.0.0.0/0 scram-sha-256\n"
        asked = " clientcert=verify-ca" if self.certified else ""
        return f"hostssl all all 0.0.0.0/0 scram-sha-256{asked}\n"

    def _answers(self) -> bool:
        command = [str(POSTGRES / "pg_isready"), "--quiet", f"--host={self.address}", f"--port={self.port}"]
        return subprocess.run(command, check=False).returncode == 0


@dataclass
class MariaDB(Database):
    """MariaDB of Debian."""

    DRIVER = "MySQL"
    USER = "mysql"

    def _command(self) -> list[str]:
        data = self.folder / "data"
        if not data.exists():
            # A server that starts clears temporary tables out of its folder for them, others' in a shared one as well.
            made = [
                *("--no-defaults", f"--tmpdir={self.folder}", f"--datadir={data}", "--skip-test-db"),
                "--auth-root-authentication-method=normal",
            ]
            installed = self._run(["/usr/bin/mariadb-install-db", *made, "--skip-name-resolve"])
            assert installed.wait() == 0, self._last_words()
            (self.folder / "init.sql").write_text(self._root())
        said = {"bind-address": self.address, "port": str(self.port), "datadir": str(data), "max-connections": "500"}
        said |= {
            "tmpdir": str(self.folder),
            "socket": str(self.folder / "socket"),
            "pid-file": str(self.folder / "pid"),
        }
        said |= {"init-file": str(self.folder / "init.sql"), "innodb-flush-log-at-trx-commit": "0"}
        if self.authority:
            files = {"ssl-ca": "ca.crt", "ssl-cert": "server.crt", "ssl-key": "server.key"}
            said |= {"require-secure-transport": "ON", **{key: str(self.folder / each) for key, each in files.items()}}
        return ["/usr/sbin/mariadbd", "--no-defaults", *(f"--{key}={value}" for key, value in said.items())]

    def _root(self) -> str:
        """Read at each start. Nobody else is there who could log in from elsewhere."""
        asked = " REQUIRE X509" if self.certified else ""
        return (
            f"CREATE USER IF NOT EXISTS '{ROOT}'@'%' IDENTIFIED BY '{PASSWORD.replace(chr(39), chr(39) * 2)}'{asked};\n"
            f"GRANT ALL PRIVILEGES ON *.* TO '{ROOT}'@'%' WITH GRANT OPTION;\n"
        )

    def _answers(self) -> bool:
        """It listens once its start is over."""
        return listens_at(self.address, self.port)


@dataclass
class Nats(Database):
    """nats-server of its Go module, with one account."""

    DRIVER = "NATS"
    PASSWORD = "a-password-of-roots"

    def _command(self) -> list[str]:
        said = [
            f'listen: "{self.address}:{self.port}"',
            f'jetstream {{ store_dir: "{self.folder / "data"}" }}',
            f'authorization {{ users = [ {{ user: "{ROOT}", password: "{self.PASSWORD}" }} ] }}',
        ]
        if self.authority:
            files = {"cert_file": "server.crt", "key_file": "server.key", "ca_file": "ca.crt"}
            named = ", ".join(f'{key}: "{self.folder / each}"' for key, each in files.items())
            said.append(f"tls {{ {named}, verify: {str(self.certified).lower()} }}")
        (self.folder / "conf").write_text("\n".join(said))
        return [str(programs.path("nats-server")), "--config", str(self.folder / "conf")]

    def _answers(self) -> bool:
        return listens_at(self.address, self.port)


def listens_at(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def _content(value: bytes) -> Manifest:
    return {"content": base64.b64encode(value).decode()}
