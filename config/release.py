"""A release as files: what clusterctl, helm, kubectl and auditors read, with checksums and a bill of materials. `make release`.

    control-plane-kamaji/v0.1.0/   a clusterctl repository: components and metadata
    templates/                     cluster templates, by infrastructure
    install.yaml                   the same components with their variables' defaults, for `kubectl apply --server-side`
    capi-kamaji-0.1.0.tgz          the Helm chart
    monitoring/                    PodMonitor, alerts and dashboards
    status-page.yaml               what the status page may do, for who switches it on
    sbom.cdx.json                  CycloneDX: every Python package of the image, by version and hash
    SHA256SUMS                     of all of them

Made twice of the same tree it is the same to the byte.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

from config.chart.__main__ import CHART, ROOT

CLUSTERCTL = ROOT / "clusterctl"
LABEL = "control-plane-kamaji"
SUMS = "SHA256SUMS"
DEFAULT = re.compile(r"\$\{\w+:=([^}]*)\}")


def made(target: Path, helm: Path) -> None:
    """Write the whole release into an empty folder."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    shutil.rmtree(target, ignore_errors=True)
    repository = target / LABEL / f"v{version}"
    repository.mkdir(parents=True)
    for name in ("control-plane-components.yaml", "metadata.yaml"):
        shutil.copy(CLUSTERCTL / name, repository / name)
    shutil.copytree(CLUSTERCTL / "templates", target / "templates", ignore=shutil.ignore_patterns("lab"))
    components = (CLUSTERCTL / "control-plane-components.yaml").read_text()
    (target / "install.yaml").write_text(DEFAULT.sub(r"\1", components))
    _monitoring(target / "monitoring")
    shutil.copy(ROOT / "config" / "statuspage" / "rbac.yaml", target / "status-page.yaml")
    _chart(target, helm)
    _bill(target / "sbom.cdx.json")
    (target / SUMS).write_text(sums(target))


def sums(target: Path) -> str:
    """As sha256sum writes it, and `sha256sum --check` reads it."""
    files = sorted(each for each in target.rglob("*") if each.is_file() and each.name != SUMS)
    lines = (f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.relative_to(target)}\n" for each in files)
    return "".join(lines)


def _monitoring(folder: Path) -> None:
    folder.mkdir()
    sources = [*(ROOT / "config" / "prometheus").glob("*.yaml"), *(ROOT / "config" / "grafana").glob("*.json")]
    for each in sources:
        shutil.copy(each, folder / each.name)


def _chart(target: Path, helm: Path) -> None:
    """helm packs with the time of day; packed anew without it the same chart is the same file."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [str(helm), "package", str(CHART), "--destination", scratch]
        subprocess.run(command, check=True, capture_output=True, env={"HOME": scratch, "PATH": "/usr/bin:/bin"})
        (package,) = Path(scratch).glob("*.tgz")
        (target / package.name).write_bytes(timeless(package.read_bytes()))


def timeless(package: bytes) -> bytes:
    """The same archive with every time at zero, its files in order."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(package)) as read, tarfile.open(fileobj=packed, mode="w") as written:
        for member in sorted(read.getmembers(), key=lambda each: each.name):
            member.mtime = 0
            written.addfile(member, read.extractfile(member))
    return gzip.compress(packed.getvalue(), mtime=0)


def _bill(file: Path) -> None:
    """Of what the image has: the locked packages with their hashes; the index they come from is no part of it."""
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(ROOT / "requirements-provider.lock")]
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--short-PURLs", "--of", "JSON"]
    subprocess.run([*command, *options, "-o", str(file)], check=True, capture_output=True, cwd=ROOT)


def main() -> None:
    """Into dist/release, or where it is said."""
    from lab import programs  # noqa: PLC0415  (helm is built when it is missing)

    parser = argparse.ArgumentParser(description="a release as files")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "release")
    target: Path = parser.parse_args().output
    made(target, programs.path("helm"))
    sys.stdout.write((target / SUMS).read_text())


if __name__ == "__main__":
    main()
