"""The images of `images.toml`, made from our programs and Debian packages, and the golden store that machines start from.

Layers, images and the store are kept in the cache under the digest of what they are made of. Called by machines, by
`lab build` and by `lab image`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from lab import oci, programs, state
from lab.oci import Image, Layer

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
SUITE = "bookworm"
SITE = "/usr/local/lib/python3.11/dist-packages"
PAUSE_SOURCE = """#include <signal.h>
#include <unistd.h>
#include <sys/wait.h>
static void end(int sign) { (void)sign; _exit(0); }
static void reap(int sign) { (void)sign; while (waitpid(-1, 0, WNOHANG) > 0) {} }
int main(void) {
    signal(SIGINT, end);
    signal(SIGTERM, end);
    signal(SIGCHLD, reap);
    for (;;) pause();
}
"""


@cache
def document() -> dict[str, Any]:
    """`images.toml`."""
    return tomllib.loads((HERE / "images.toml").read_text())


PAUSE: str = document()["pause"]["name"]
PROVIDER: str = document()["provider"]["name"]


def cached(*parts: str, make: Callable[[Path], None]) -> Path:
    """A file or folder of the cache by its parts; made under another name first, so that half of it is never taken for all."""
    target = state.cache().joinpath(*parts)
    if target.exists():
        return target
    with state.alone(target):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = target.with_name(f"{target.name}.unfinished")
            if unfinished.is_dir():
                shutil.rmtree(unfinished)
            unfinished.unlink(missing_ok=True)
            make(unfinished)
            unfinished.rename(target)
    return target


def digest(*parts: str) -> str:
    """Twelve hex digits of what a thing is made of."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def all_images() -> list[Path]:
    """Layout tars of every image but the provider's; what is missing is built."""
    return [_pause(), *(_of_entry(each) for each in document()["image"])]


def golden() -> Path:
    """A containerd store with all those images unpacked; machines hard-link its files."""
    tars = all_images()
    return cached("golden", digest(*(each.name for each in tars)), make=lambda target: _fill(target, tars))


def base(name: str) -> Layer:
    """A root file system of Debian packages."""
    table: dict[str, Any] = document()["base"][name]
    file = f"base-{name}-{digest(json.dumps(table, sort_keys=True))}.tar"
    return Layer(cached("layers", file, make=lambda target: _bootstrap(table, target)))


def _bootstrap(table: dict[str, Any], target: Path) -> None:
    command = ["mmdebstrap", f"--variant={table.get('variant', 'minbase')}", "--mode=root", "--format=tar"]
    command.append(f"--include={','.join(table['packages'])}")
    stage = "extract" if table.get("variant") == "extract" else "customize"  # the last that there is
    command += [f"--{stage}-hook={each}" for each in table.get("hooks", ())]
    command += [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")]
    _run([*command, SUITE, str(target)], f"bootstrap-{target.stem}", {"SOURCE_DATE_EPOCH": "0"})


def _of_entry(entry: dict[str, Any]) -> Path:
    """An image of `images.toml`: a base below, programs each in a layer of its own, small files last."""
    below = [base(entry["base"])] if "base" in entry else []
    own: dict[str, str] = {entry["program"]: entry["path"]} if "program" in entry else {}
    own |= entry.get("beside", {})
    made_of = [f"{programs.module_of(each).digest()} {path}" for each, path in own.items()]
    title = entry.get("program") or entry["name"].rpartition("/")[2].replace(":", "-")
    # One key after the other: the order in the file says nothing.
    content = digest(json.dumps(entry, sort_keys=True), *(each.file.name for each in below), *made_of)

    def make(target: Path) -> None:
        layers = [*below, *(_own(each, path) for each, path in own.items())]
        if files := entry.get("files"):
            layers.append(_written(files))
        ran = [entry["path"]] if entry.get("entrypoint") else []
        words, user = entry.get("arguments", ()), entry.get("user", "")
        Image(name=entry["name"], layers=layers, entrypoint=ran, arguments=words, user=user).write(target)

    return cached("images", f"{title}-{content}.tar", make=make)


def _own(program: str, path: str) -> Layer:
    """One program at one place."""
    name = f"{program}-{programs.module_of(program).digest()}-{digest(path)}.tar"
    return Layer(cached("layers", name, make=lambda layer: _layer({path: programs.path(program)}, layer)))


def _written(files: dict[str, str]) -> Layer:
    """Small files by their content."""

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            sources = {path: Path(folder) / str(number) for number, path in enumerate(files)}
            for path, source in sources.items():
                source.write_text(files[path])
            _layer(sources, target)

    return Layer(cached("layers", f"files-{digest(*(f'{k} {v}' for k, v in sorted(files.items())))}.tar", make=make))


def _layer(files: dict[str, Path], target: Path) -> None:
    oci.layer_of_files(files, target)


def _pause() -> Path:
    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source, binary = Path(folder) / "pause.c", Path(folder) / "pause"
            source.write_text(PAUSE_SOURCE)
            _run(["cc", "-Os", "-static", "-s", "-o", str(binary), str(source)], "pause")
            layer = oci.layer_of_files({"/pause": binary}, Path(folder) / "layer.tar")
            Image(name=PAUSE, layers=[layer], entrypoint=["/pause"]).write(target)

    return cached("images", f"pause-{digest(PAUSE_SOURCE, PAUSE)}.tar", make=make)


def provider(tree: Path = REPOSITORY, name: str = PROVIDER) -> Path:
    """The provider's image: Python, the locked wheels, then our package on top, so that a change of ours is one small layer.

    `tree`: where the sources are.
    """
    lock = tree / "requirements-provider.lock"
    wheels = cached("layers", f"wheels-{digest(lock.read_text())}.tar", make=partial(_wheels, lock))
    sources = sorted(
        each for each in (tree / "provider").rglob("*") if each.is_file() and "__pycache__" not in each.parts
    )
    content = digest(*(f"{each.relative_to(tree)}\0{each.read_text()}" for each in sources))

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for each in sources:
                copy = Path(folder) / each.relative_to(tree)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(each, copy)
            own = _compiled(Path(folder), "/app", Path(folder) / "own.tar")
            Image(
                name=name,
                layers=[base("python"), Layer(wheels), own],
                entrypoint=["/usr/bin/python3", "-m", "provider"],
                arguments=["run"],
                user="65532:65532",
                environment=[
                    "PATH=/usr/bin:/bin",
                    "PYTHONUNBUFFERED=1",
                    "PYTHONPATH=/app",
                    "PYTHONDONTWRITEBYTECODE=1",
                ],
                workdir="/app",
            ).write(target)

    return cached("images", f"provider-{digest(name, lock.read_text(), content)}.tar", make=make)


def _wheels(lock: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        limits = ["--require-hashes", "--only-binary=:all:", "--target", f"{folder}/site"]
        _run([*pip, *limits, "-r", str(lock)], "wheels")
        _compiled(Path(folder) / "site", SITE, target)


def _compiled(folder: Path, where: str, target: Path) -> Layer:
    """A layer of Python files with their bytecode: the root is read-only, so nothing can be compiled at run time."""
    compile_all = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    _run(compile_all, "compileall")
    files = {
        f"{where}/{each.relative_to(folder)}": each for each in folder.rglob("*") if each.is_file() and each != target
    }
    return oci.layer_of_files(files, target)


def _fill(target: Path, tars: list[Path]) -> None:
    """Import into a containerd of our own that runs for this only."""
    target.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/containerd.sock"
        log = (state.cache() / "logs" / "golden.log").open("wb")
        flags = ["--root", str(target), "--state", f"{folder}/state", "--address", socket]
        (Path(folder) / "config.toml").write_text('version = 3\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        command = [str(programs.path("containerd")), "--config", f"{folder}/config.toml", *flags]
        with log, subprocess.Popen(command, stdout=log, stderr=log) as containerd:
            try:
                _await(Path(socket), containerd)
                for tar in tars:
                    load = [
                        str(programs.path("ctr")),
                        "--address",
                        socket,
                        "--connect-timeout",
                        "30s",
                        "--namespace",
                        "k8s.io",
                    ]
                    _run(
                        [*load, "images", "import", "--digests", "--snapshotter", "overlayfs", str(tar)],
                        "golden-import",
                    )
            finally:
                containerd.terminate()


def _await(socket: Path, process: subprocess.Popen[bytes], patience: float = 30.0) -> None:
    deadline = time.monotonic() + patience
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise programs.BuildError(f"containerd does not come up; see {state.cache() / 'logs' / 'golden.log'}")
        time.sleep(0.05)


def _run(command: list[str], role: str, environment: dict[str, str] | None = None) -> None:
    """Run with its output in a log. BuildError names the log and its last lines."""
    log = state.cache() / "logs" / f"{role}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        environment = {**os.environ, **(environment or {})}
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False)
    if done.returncode != 0:
        tail = "\n".join(log.read_text().splitlines()[-5:])
        raise programs.BuildError(f"{command[0]} failed ({done.returncode}); see {log}:\n{tail}")
