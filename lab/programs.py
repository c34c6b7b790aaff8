"""Programs from their Go modules: locked by hash, built once, kept outside the repository by version.

`path("kubelet")` is what everybody calls; it builds when the program is missing. `lab lock` writes `modules/` from
`programs.toml`. Builds go one after another: two large ones at once fight for the cores.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lab import state

HERE = Path(__file__).parent
MODULES = HERE / "modules"
PROJECT = HERE.parent
GO = "go1.26"
TEST = ".test"  # a program called so is the compiled test of its package


class BuildError(Exception):
    """A program could not be built; says which, and where the log lies."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """One Go module of `programs.toml`, and what is built from it (name → package folder)."""

    name: str
    module: str
    version: str
    programs: dict[str, str]
    tags: tuple[str, ...] = ()
    stamp: tuple[str, ...] = ()  # packages that carry a version to be set at link time
    staging: str = ""
    godebug: str = ""
    replace: dict[str, str] = field(default_factory=dict)
    tests: str = ""  # a folder of ours with a Go test that leans on the module; that is what is built
    nightly: bool = False  # built when a test asks for it, not by `lab build`: no test of every day does

    @property
    def home(self) -> Path:
        """Where its go.mod and go.sum are."""
        return PROJECT / self.tests if self.tests else MODULES / self.name

    def package(self, program: str) -> str:
        """Import path of a program; of one of our own (`./…`), its folder in modules/<name>."""
        folder = self.programs[program]
        if self.tests or self._own(program):
            return folder
        return self.module if folder == "." else f"{self.module}/{folder}"

    def flags(self) -> str:
        """Linker flags: no symbol table, and the version where the program asks for one."""
        major, minor, *_ = self.version.removeprefix("v").split(".")
        values = {
            "gitVersion": self.version,
            "gitMajor": major,
            "gitMinor": minor,
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
        }
        stamps = [f"-X {package}.{key}={value}" for package in self.stamp for key, value in values.items()]
        return " ".join(["-s -w", *stamps])

    def tools(self) -> str:
        """The Go file that makes the module require what we build."""
        imports = "".join(f'\t_ "{self.package(each)}"\n' for each in self.programs if not self._own(each))
        return f"//go:build tools\n\npackage tools\n\nimport (\n{imports})\n"

    def go_mod(self, staging: list[str]) -> str:
        """go.mod before `go mod tidy`. `staging` are the modules that are required at v0.0.0."""
        replaced = dict.fromkeys(staging, self.staging) | self.replace
        lines = [f"module lab/{self.name}", "", "go 1.26.0", ""]
        lines += [f"godebug {self.godebug}", ""] if self.godebug else []
        lines += [f"require {self.module} {self.version}", ""]
        lines += [f"replace {each} => {each} {version}" for each, version in sorted(replaced.items())]
        return "\n".join(lines) + "\n"

    def digest(self) -> str:
        """Names what is built: version, dependencies and flags. Another digest is another folder."""
        content = f"{self.version}{self.tags}{self.flags()}" + (self.home / "go.sum").read_text()
        content += "".join(each.read_text() for each in self._sources())
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def _own(self, program: str) -> bool:
        return self.programs[program].startswith("./")

    def _sources(self) -> list[Path]:
        """Go files that are our own."""
        folders = [self.home / self.programs[each] for each in self.programs if self.tests or self._own(each)]
        return [file for each in folders for file in sorted(each.glob("*.go"))]

    def folder(self) -> Path:
        """Where the built programs are."""
        return state.cache() / "programs" / f"{self.name}-{self.version}-{self.digest()}"


@cache
def modules() -> dict[str, Module]:
    """All of `programs.toml` by name."""
    document: dict[str, dict[str, Any]] = tomllib.loads((HERE / "programs.toml").read_text())
    return {name: _module(name, table) for name, table in document.items()}


def _module(name: str, table: dict[str, Any]) -> Module:
    lists: dict[str, Any] = {key: tuple(table[key]) for key in ("tags", "stamp") if key in table}
    return Module(name=name, **{**table, **lists})


def module_of(program: str) -> Module:
    """The module that a program is built from. KeyError when none is called so."""
    return next((each for each in modules().values() if program in each.programs), None) or _unknown(program)


def _unknown(program: str) -> Module:
    raise KeyError(f"{program} is not in lab/programs.toml")


def path(program: str) -> Path:
    """The program's file; it is built when it is missing. BuildError when that fails."""
    module = module_of(program)
    target = module.folder() / program
    if not target.exists():
        with state.alone(target):
            if not target.exists():
                _build(module, program, target)
    return target


def missing() -> Iterator[tuple[Module, str]]:
    """What `lab build` still has to build."""
    for module in modules().values():
        for program in module.programs:
            if not module.nightly and not (module.folder() / program).exists():
                yield module, program


def folders() -> list[Path]:
    """Folders for PATH, one a module."""
    return [each.folder() for each in modules().values()]


def source(name: str) -> Path:
    """The module's own files as the Go client keeps them (manifests, CRDs); downloaded when missing."""
    module = modules()[name]
    done = _go(module, "list", "-m", "-f", "{{.Dir}}", module.module)
    if not done.stdout.strip():
        _go(module, "mod", "download", module.module)
        done = _go(module, "list", "-m", "-f", "{{.Dir}}", module.module)
    return Path(done.stdout.strip())


def _build(module: Module, program: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    log = state.cache() / "logs" / f"build-{program}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started, unfinished = time.monotonic(), target.with_name(f"{program}.unfinished")
    verb = ["test", "-c", "-vet=off"] if module.tests or program.endswith(TEST) else ["build"]
    command = ["go", *verb, "-trimpath", "-tags", ",".join(module.tags), "-ldflags", module.flags()]
    with log.open("w") as output:
        done = subprocess.run(
            [*command, "-o", str(unfinished), module.package(program)],
            cwd=module.home,
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode != 0:
        raise BuildError(
            f"building {program} {module.version} failed after {time.monotonic() - started:.0f} s; see {log}"
        )
    unfinished.rename(target)


def lock(name: str) -> None:
    """Write go.mod, go.sum and tools.go of a module. Needs the network; done when programs.toml changes."""
    module, folder = modules()[name], modules()[name].home
    folder.mkdir(parents=True, exist_ok=True)
    if not module.tests:
        (folder / "tools.go").write_text(module.tools())
    (folder / "go.sum").unlink(missing_ok=True)
    (folder / "go.mod").write_text(f"module lab/{name}\n\ngo 1.26.0\n")
    staging = _staging(module) if module.staging else []
    (folder / "go.mod").write_text(module.go_mod(staging))
    _go(module, "mod", "tidy")
    for program in module.programs:
        if program.endswith(TEST):  # tidy leaves out what only tests of others need
            _go(module, "get", "-t", f"{module.package(program)}@{module.version}")


def _staging(module: Module) -> list[str]:
    download = _go(module, "mod", "download", "-json", f"{module.module}@{module.version}").stdout
    go_mod = re.search(r'"GoMod": "([^"]+)"', download)
    assert go_mod is not None, download
    return sorted(set(re.findall(r"^\s*(\S+) v0\.0\.0$", Path(go_mod[1]).read_text(), re.MULTILINE)))


def _go(module: Module, *arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("go") is None:
        raise BuildError(f"there is no `go` in PATH; the lab needs Go 1.26 ({GO}) to build its programs")
    done = subprocess.run(["go", *arguments], cwd=module.home, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"go {' '.join(arguments)} in {module.home}: {done.stderr.strip()[-2000:]}")
    return done
