"""This project as it was, released as it would have been: an image, and components for clusterctl. For tests of upgrades.

What a user has who installed it then. Its sources are kept in the tree, for not every clone has a history:
`python -m lab.release COMMIT FILE.tar.xz` writes them.
"""

from __future__ import annotations

import lzma
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from lab import capi_repository, images

COMPONENTS = ("control-plane-components.yaml", "metadata.yaml")
KEPT = (
    *("requirements-provider.lock", *(f"clusterctl/{each}" for each in COMPONENTS)),
    *(f":(glob)provider/**/*.{each}" for each in ("py", "toml")),
)
"""All that an image and the components are made of."""


class ReleaseError(RuntimeError):
    """The release cannot be made. Says why, and what to do."""


@dataclass(frozen=True)
class Release:
    """Sources under the version that they are released as. `archive`: a tar.xz of them."""

    archive: Path
    version: str

    @property
    def image(self) -> str:
        """Name of its image: a release says its own version."""
        return f"{images.PROVIDER.rpartition(':')[0]}:{self.version}"

    def sources(self, folder: Path) -> Path:
        """Its tree, in this folder. ReleaseError when it is not kept whole."""
        try:
            with tarfile.open(self.archive, "r:xz") as tree:
                tree.extractall(folder, filter="data")
        except (OSError, EOFError, lzma.LZMAError, tarfile.TarError) as error:
            words = (
                f"the sources of {self.version} cannot be read: {error}. `python -m lab.release` makes them of a commit"
            )
            raise ReleaseError(words) from error
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


def keep(commit: str, archive: Path) -> None:
    """Write the sources of a commit. ReleaseError when this clone does not have it."""
    command = ["git", "-C", str(images.REPOSITORY), "archive", "--format=tar", commit, "--", *KEPT]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise ReleaseError(f"git archive {commit}: {done.stderr.decode().strip()}")
    archive.write_bytes(lzma.compress(done.stdout, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    try:
        keep(sys.argv[1], Path(sys.argv[2]))
    except (IndexError, ReleaseError) as error:
        sys.exit(f"{error}\nusage: python -m lab.release COMMIT FILE.tar.xz")
