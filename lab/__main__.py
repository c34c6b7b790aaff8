"""Command line of the lab: a management cluster on one machine, without a container engine. See `lab --help`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from lab import capi, cluster, debian, images, programs, steps
from lab.state import Lab

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
machines = typer.Typer(help="Machines of the lab.", no_args_is_help=True)
pictures = typer.Typer(help="Images of the lab.", no_args_is_help=True)
app.add_typer(machines, name="machine")
app.add_typer(pictures, name="image")
console = Console()

Name = Annotated[str, typer.Option("--lab", envvar="CAPI_KAMAJI_LAB", help="name of the lab; labs do not meet")]
Command = Annotated[list[str], typer.Argument(help="the command and its arguments")]
ANY = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
def lock(module: Annotated[list[str] | None, typer.Argument(help="which; default all")] = None) -> None:
    """Write the go.mod and go.sum that pin the programs, after a change of programs.toml."""
    for name in module or programs.modules():
        programs.lock(name)
        console.print(f"locked {name}")


@app.command()
def build() -> None:
    """Build every program and image, once."""
    steps.take(steps.build_steps(), console)


@app.command()
def up(lab: Name = "lab") -> None:
    """Bring the management cluster up, or find it as it should be."""
    steps.take([*steps.build_steps(), *steps.up_steps(Lab(lab))], console)
    console.print(
        f"The management cluster is up. Try: lab run -- kubectl get nodes   (KUBECONFIG {Lab(lab).kubeconfig})"
    )


@app.command()
def down(lab: Name = "lab") -> None:
    """Leave no process, mount, namespace, cgroup or bridge of the lab behind."""
    steps.take([(f"end lab {lab}", lambda: steps.down(Lab(lab)))], console)


@app.command()
def join(other: Annotated[str, typer.Argument(help="the other lab")], lab: Name = "lab") -> None:
    """Let the machines and load balancers of two labs reach each other, until one of the labs goes down."""
    Lab(lab).network().join(Lab(other).network())


@app.command()
def status(lab: Name = "lab") -> None:
    """What there is of the lab."""
    found = Lab(lab)
    for each in found.machines():
        console.print(f"machine {each.name}: {each.address}, {'running' if each.running() else 'off'}")
    for process in found.processes():
        console.print(f"process {process.record.stem}: {process.pid() or 'ended'}")
    if not found.machines():
        console.print(f"there is no lab called {lab}; `lab up` makes it")


@app.command()
def demo(lab: Name = "lab") -> None:
    """The main job from nothing: a cluster by clusterctl, workers, pods that talk, and its end without a trace."""
    found = Lab(lab)
    steps.take([*steps.build_steps(), *steps.up_steps(found), *steps.provider_steps(found)], console)
    _inside(found, [sys.executable, "-m", "lab.demo"])


@app.command()
def deploy(lab: Name = "lab") -> None:
    """Install the provider by clusterctl, or bring it up to the sources as they are."""
    steps.take(steps.provider_steps(Lab(lab)), console)


@app.command()
def bench(
    part: Annotated[list[str] | None, typer.Argument(help="which; default all but twenty")] = None,
    lab: Name = "lab",
    twenty: bool = False,
    docs: bool = False,
) -> None:
    """Measure what is fast, small and many beside the floor, and print the table. --docs: write docs/benchmarks/ too."""
    found = Lab(lab)
    steps.take(steps.provider_steps(found), console)
    options = [*(part or []), *(["--twenty"] if twenty else []), *(["--docs"] if docs else [])]
    _inside(found, [sys.executable, "-m", "lab.bench.report", *options])


@app.command()
def conformance(lab: Name = "lab", docs: bool = False, anew: bool = False, again: bool = False, only: str = "") -> None:
    """Run Kubernetes' conformance specs against a hosted cluster; what was done before is not done again.

    --docs: write docs/conformance/; --anew: begin from the start; --again: repeat pieces that failed; --only: pieces by name.
    """
    found = Lab(lab)
    steps.take([*steps.build_steps(), *steps.up_steps(found), *steps.provider_steps(found)], console)
    flags = {"--docs": docs, "--anew": anew, "--again": again}
    options = [*(each for each, asked in flags.items() if asked), f"--only={only}"]
    _inside(found, [sys.executable, "-m", "lab.suite", *options])


@app.command(context_settings=ANY)
def run(command: Command, lab: Name = "lab") -> None:
    """Run a command where the cluster's addresses and names resolve, with KUBECONFIG and our programs in PATH."""
    found = Lab(lab)
    if not cluster.management(found).running():
        raise typer.BadParameter(f"lab {lab} is not up; `lab up` first")
    _inside(found, command)


def _inside(lab: Lab, command: list[str]) -> NoReturn:
    """Become the command, inside the lab."""
    argv = [*cluster.exec_prefix(lab), *command]
    os.execvpe(argv[0], argv, {**cluster.environment(lab), **capi.environment(lab)})


@machines.command("list")
def list_machines(lab: Name = "lab") -> None:
    """Names, addresses, and whether they run."""
    for each in Lab(lab).machines():
        console.print(f"{each.name}\t{each.address}\t{'running' if each.running() else 'off'}")


@machines.command()
def create(name: str, lab: Name = "lab") -> None:
    """Make a machine and let it run."""
    Lab(lab).machine(name).create()


@machines.command()
def delete(name: str, lab: Name = "lab") -> None:
    """Take a machine away."""
    Lab(lab).machine(name).delete()


@machines.command()
def stop(name: str, lab: Name = "lab") -> None:
    """Power a machine off; its disk stays."""
    Lab(lab).machine(name).stop()


@machines.command()
def start(name: str, lab: Name = "lab") -> None:
    """Power a machine on."""
    Lab(lab).machine(name).start()


@machines.command("exec", context_settings=ANY)
def execute(name: str, command: Command, lab: Name = "lab") -> None:
    """Run a command inside a machine."""
    argv = [*Lab(lab).machine(name).enter(), *command]
    sys.exit(subprocess.run(argv, check=False, env=dict(os.environ)).returncode)


@pictures.command("build")
def build_image() -> None:
    """Build the provider's image from the sources as they are."""
    console.print(str(images.provider()))


@pictures.command()
def load(
    image: Annotated[Path | None, typer.Argument(help="a layout tar; default the provider's")] = None, lab: Name = "lab"
) -> None:
    """Load an image into the management machine."""
    cluster.load(Lab(lab), image or images.provider())


def main() -> None:
    """Entry point; errors that a user can act on are said without a traceback."""
    try:
        app()
    except (programs.BuildError, debian.HostError, cluster.ClusterError, RuntimeError) as error:
        console.print(f"[red]✗[/] {error}", highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
