"""Every command of `kamaji` under every bad circumstance: one short sentence, and an exit status that means it.

A wrong name, no permission, no connection, an API server without our kinds, a reader that has gone, a narrow terminal without
colour. A command that is new has to be put into the table.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import typer
import yaml

from lab.servers import ApiServer, Etcd
from provider.api import kinds
from provider.cli.app import app
from provider.cluster.client import Cluster
from provider.manifest import Manifest, yamltext
from tests.integration.hosted import Hosted, Store
from tests.integration.kamaji_forks import Ran, Run, ran
from tests.integration.kamaji_process import Kamaji
from tests.terminal import COLOUR, STYLE

FILE = "FILE"  # a TenantControlPlane, put in by the test
OF_TENANT = {
    "explain": ("demo",),
    "tree": ("demo",),
    "isolation": ("demo",),
    "certificates": ("demo",),
    "kubeconfig": ("demo",),
    "merge": ("demo", "--into", "MINE"),
    "join-command": ("demo",),
    "sleep": ("demo",),
    "wake": ("demo",),
    "rotate": ("demo", "ca"),
    "move": ("demo", "some-store", "--wait", "0s"),
    "backup": ("demo", "--volume", "v", "--key", "k", "--wait", "0s"),
    "restore": ("demo", "some-backup", "--in-place", "--wait", "0s"),
}
OTHERS = {
    "get": (),
    "top": (),
    "backups": (),
    "stores": (),
    "doctor": (),
    "uninstall": (),
    "plan": (FILE,),
    "diff": (FILE,),
}
COMMANDS = {**OF_TENANT, **OTHERS}
READING = (
    "explain",
    "tree",
    "isolation",
    "certificates",
    "get",
    "top",
    "backups",
    "stores",
    "doctor",
    "uninstall",
    "plan",
)
"""Which say the same each time, and in sentences or tables."""
TYPED = re.compile(r"^ {4}(kubectl|kamaji|capi-kamaji|helm|clusterctl|date|…) ?")
"""A command for people to copy is one line, however narrow the terminal is."""


@pytest.fixture
async def born(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Hosted]:
    """With all that the provider makes of it before its first pod."""
    found = Hosted(management, store, namespace, tmp_path / "tenant")
    await found.say()
    await found.look()
    await store.look()
    (tmp_path / "demo.yaml").write_text(declared(await found.tcp()))
    yield found
    await found.stop()


def declared(tenant: Manifest) -> str:
    """As it lies in a file of its user's."""
    kept = {key: tenant["metadata"][key] for key in ("name", "namespace")}
    return yamltext.written({**{key: tenant[key] for key in ("apiVersion", "kind", "spec")}, "metadata": kept})


def arguments(command: str, folder: Path, name: str = "demo") -> tuple[str, ...]:
    put = {"demo": name, FILE: str(folder / "demo.yaml"), "MINE": str(folder / "mine")}
    return (command, *(put.get(each, each) for each in COMMANDS[command]))


async def each_ran(who: Kamaji, runs: Sequence[Run]) -> list[Ran]:
    return await asyncio.to_thread(ran, runs, who.environment)


def told(done: Ran, status: int, words: str) -> bool:
    """A sentence and nothing else."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return (done.status, done.stdout) == (status, "") and len(lines) == 1 and words in lines[0]


def test_the_table_has_every_command() -> None:
    assert set(COMMANDS) == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


async def test_a_wrong_name(born: Hosted, api_server: ApiServer, tmp_path: Path) -> None:
    kamaji = Kamaji.of(api_server, born.namespace, tmp_path)
    runs = [Run(arguments(each, tmp_path, "dmo")) for each in OF_TENANT]
    for run, done in zip(runs, await each_ran(kamaji, runs), strict=True):
        assert told(done, 2, "there is no TenantControlPlane dmo"), (run, done)
        assert "did you mean demo?" in done.stderr
    absent = [Run((each, str(tmp_path / "absent.yaml"))) for each in ("plan", "diff")]
    for run, done in zip(absent, await each_ran(kamaji, absent), strict=True):
        assert told(done, 2, "cannot be read"), (run, done)
    wrong = [Run((*arguments(each, tmp_path), "--nonsense")) for each in COMMANDS]
    for run, done in zip(wrong, await each_ran(kamaji, wrong), strict=True):
        assert (done.status, done.stdout, "No such option" in done.stderr) == (2, "", True), (run, done)


async def test_no_permission(born: Hosted, api_server: ApiServer, tmp_path: Path) -> None:
    stranger = Kamaji.of(api_server, born.namespace, tmp_path, "stranger", "strangers")
    runs = [Run(arguments(each, tmp_path)) for each in COMMANDS if each != "doctor"]
    for run, done in zip(runs, await each_ran(stranger, runs), strict=True):
        assert told(done, 3, "you are not allowed to"), (run, done)
    (doctor,) = await each_ran(stranger, [Run(("doctor",))])
    assert (doctor.status, "not allowed" in doctor.stderr) == (3, True), doctor
    assert "you may not read what this needs" in doctor.stdout, "it says so of each question"


async def test_no_connection(born: Hosted, api_server: ApiServer, tmp_path: Path) -> None:
    kamaji = Kamaji.of(api_server, born.namespace, tmp_path)
    document = yaml.safe_load(kamaji.kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    kamaji.kubeconfig.write_text(yaml.safe_dump(document))
    away = [Run(arguments(each, tmp_path)) for each in COMMANDS]
    for run, done in zip(away, await each_ran(kamaji, away), strict=True):
        assert told(done, 3, "no answer"), (run, done)
    unusable = [Run(("--context", "nobody", *arguments(each, tmp_path))) for each in COMMANDS]
    for run, done in zip(unusable, await each_ran(kamaji, unusable), strict=True):
        assert told(done, 3, "cannot be used"), (run, done)


@pytest.fixture
def bare(tmp_path: Path, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """A management cluster in which nothing of ours was installed."""
    found = ApiServer(tmp_path / "bare", plain_etcd, prefix="/without-our-kinds").start()
    yield found
    found.stop()


async def test_an_api_server_that_has_none_of_our_kinds(bare: ApiServer, tmp_path: Path) -> None:
    api = kinds.TENANT_CONTROL_PLANE.api_version
    (tmp_path / "demo.yaml").write_text(
        f"apiVersion: {api}\nkind: TenantControlPlane\nmetadata: {{name: demo}}\nspec: {{}}\n"
    )
    old = Kamaji.of(bare, "default", tmp_path)
    runs = [Run(arguments(each, tmp_path)) for each in COMMANDS if each not in ("doctor", "uninstall")]
    for run, done in zip(runs, await each_ran(old, runs), strict=True):
        assert told(done, 3, "is the provider installed there?"), (run, done)
    doctor, uninstall = await each_ran(old, [Run(("doctor",)), Run(("uninstall",))])
    assert (doctor.status, doctor.stderr) == (1, "")
    assert re.search(r"bad +kinds +.*not served", doctor.stdout), doctor.stdout
    for text, word in (
        ("kind: TenantControlPlane\nspec: {}\n", "no name"),
        ("kind: TenantControlPlane\nmetadata: {name: a}", api),
    ):
        (tmp_path / "demo.yaml").write_text(text)
        for done in await each_ran(old, [Run(arguments(each, tmp_path)) for each in ("plan", "diff")]):
            assert told(done, 2, word), done
    assert (uninstall.status, uninstall.stderr) == (0, "")
    assert "There are no tenants" in uninstall.stdout


async def test_a_reader_that_has_gone(born: Hosted, api_server: ApiServer, tmp_path: Path) -> None:
    kamaji = Kamaji.of(api_server, born.namespace, tmp_path)
    runs = [Run(arguments(each, tmp_path), "closed") for each in COMMANDS]
    told_anyway = {
        "join-command": 3,
        "move": 2,
        "restore": 2,
    }  # nothing for the reader: no pods, no such store, no backup
    for run, done in zip(runs, await each_ran(kamaji, runs), strict=True):
        command = run.arguments[0]
        assert done.status == told_anyway.get(command, 0), (run, done)
        assert bool(done.stderr) == (command in told_anyway or command == "top"), (run, done)
        assert not re.search("Traceback|Exception|Errno", done.stderr), (run, done)


async def test_sixty_columns_without_colour(born: Hosted, api_server: ApiServer, tmp_path: Path) -> None:
    kamaji = Kamaji.of(api_server, born.namespace, tmp_path)
    plain = {"NO_COLOR": "1", "TERM": "xterm-256color"}
    narrow = [Run(arguments(each, tmp_path), "terminal", environment=plain) for each in COMMANDS]
    wide = [Run(arguments(each, tmp_path)) for each in READING]
    seen = dict(zip(COMMANDS, await each_ran(kamaji, narrow), strict=True))
    piped = dict(zip(READING, await each_ran(kamaji, wide), strict=True))
    for command, done in seen.items():
        assert not COLOUR.search(done.stdout + done.stderr), command
        assert "Traceback" not in done.stderr
    for command in READING:
        assert "\x1b" not in piped[command].stdout
        assert seen[command].status == piped[command].status, (seen[command], piped[command])
        lines = STYLE.sub("", seen[command].stdout).splitlines()
        assert not [line for line in lines if len(line) > 60 and not TYPED.match(line)], (command, lines)
        assert letters(seen[command].stdout) == letters(piped[command].stdout), f"{command} loses something"


def letters(text: str) -> Counter[str]:
    """What is said, however it is folded; ages move."""
    return Counter(re.findall(r"[A-Za-z]", re.sub(r"\d+[smhd]\b", "", STYLE.sub("", text))))
