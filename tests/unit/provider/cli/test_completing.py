"""A shell is offered names that fit, and nothing at all, in time and without a word, where nobody can be asked."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from provider.cli import completing

PROGRAM = "import sys; sys.argv = ['kamaji']; from provider.cli.app import main; main()"
TENANTS = "tenantcontrolplanes"
THERE = {
    f"/apis/kamaji.clastix.io/v1alpha1/namespaces/mine/{TENANTS}": ["mine/demo", "mine/dev"],
    f"/apis/kamaji.clastix.io/v1alpha1/namespaces/team/{TENANTS}": ["team/other"],
    f"/apis/kamaji.clastix.io/v1alpha1/{TENANTS}": ["mine/demo", "mine/dev", "team/other"],
    "/apis/kamaji.clastix.io/v1alpha1/datastores": ["/default", "/second"],
    "/apis/x.kamaji.clastix.io/v1alpha1/namespaces/mine/tenantbackups": ["mine/demo-20260301"],
    "/api/v1/namespaces": ["/mine", "/team", "/tests"],
}


class Lists(BaseHTTPRequestHandler):
    """An API server that lists by metadata alone, and has nothing else."""

    def do_GET(self) -> None:
        found = THERE.get(self.path.partition("?")[0])
        assert "PartialObjectMetadataList" in self.headers["Accept"]
        pairs = [each.split("/") for each in found or ()]
        items = [{"metadata": {"namespace": namespace, "name": name}} for namespace, name in pairs]
        content = json.dumps({"metadata": {}, "items": items}).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nowhere."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Lists)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def kubeconfig(folder: Path, server: str, **user: object) -> Path:
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "mine"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user or {"token": "x"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(said))
    return file


def offered(file: Path, *words: str) -> list[str]:
    """What bash is offered for the last of the words; nothing else may be said."""
    asked = {"_KAMAJI_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **asked, "KUBECONFIG": str(file)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("explain", "d"), ["demo", "dev"]),
        (("explain", "dem"), ["demo"]),
        (("explain", "team/"), ["team/other"]),
        (("explain", "te"), ["team/other"]),
        (("explain", "-n", "team", "o"), ["other"]),
        (("explain", "-n", "te"), ["team", "tests"]),
        (("move", "demo", "s"), ["second"]),
        (("restore", "next", "demo"), ["demo-20260301"]),
    ],
    ids=" ".join,
)
def test_names_that_fit_are_offered(words: tuple[str, ...], expected: list[str], address: str, tmp_path: Path) -> None:
    assert offered(kubeconfig(tmp_path, address), "kamaji", *words) == expected


def test_the_kubeconfig_that_is_named_before_the_command_is_asked(address: str, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, address)
    assert offered(tmp_path / "absent", "kamaji", "--kubeconfig", str(file), "explain", "dem") == ["demo"]


@pytest.mark.parametrize("what", ["no kubeconfig", "no kubeconfig at all", "nobody listens", "not the kind"])
def test_nothing_is_offered_and_nothing_said_where_nobody_can_be_asked(what: str, address: str, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, f"{address}/elsewhere" if what == "not the kind" else "http://127.0.0.1:1")
    if what == "no kubeconfig":
        file.unlink()
    if what == "no kubeconfig at all":
        file.write_text("{[")
    assert offered(file, "kamaji", "explain", "d") == []


def test_who_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert offered(kubeconfig(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}"), "kamaji", "tree", "d") == []
        seconds = time.monotonic() - began
    assert completing.PATIENCE <= seconds < 60, "the rest is the start of Python on a busy machine"


def test_a_plugin_that_wants_somebody_to_log_in_is_neither_heard_nor_waited_for(tmp_path: Path) -> None:
    asks = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", "echo log in, please >&2; sleep 5"],
        "interactiveMode": "IfAvailable",
    }
    assert offered(kubeconfig(tmp_path, "https://127.0.0.1:1", exec=asks), "kamaji", "tree", "d") == []
