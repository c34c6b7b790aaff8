"""This project as it was at an earlier commit, released as it would have been: an image, and components for clusterctl.

What a user has who installed it then. Made of the git history and of nothing else; for tests of upgrades.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from lab import capi_repository, images

COMPONENTS = ("control-plane-components.yaml", "metadata.yaml")


class ReleaseError(RuntimeError):
    """The release cannot be made. Says why, and what to do."""


@dataclass(frozen=True)
class Release:
    """A commit under the version that it is released as."""

    commit: str
    version: str

    @property
    def image(self) -> str:
        """Name of its image: a release says its own version."""
        return f"{images.PROVIDER.rpartition(':')[0]}:{self.version}"

    def sources(self, folder: Path) -> Path:
        """Its tree, in this folder. ReleaseError when the clone does not reach so far back."""
        command = ["git", "-C", str(images.REPOSITORY), "archive", "--format=tar", self.commit]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            raise ReleaseError(
                f"git archive {self.commit}: {done.stderr.decode().strip()}. It takes a clone with the whole history: "
                "`git fetch --unshallow`"
            )
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tree:
            tree.extractall(folder, filter="data")
        return folder

    def build(self, sources: Path) -> Path:
        """A layout tar of its image; the network is needed, once."""
        return images.provider(sources, self.image)

    def publish(self, sources: Path, repository: Path) -> None:
        """Beside the releases of ours that clusterctl's repository has."""
        folder = repository / capi_repository.CONTROL_PLANE / self.version
        folder.mkdir(parents=True, exist_ok=True)
        for name in COMPONENTS:
            text = (sources / "clusterctl" / name).read_text()
            (folder / name).write_text(text.replace(images.PROVIDER, self.image))
