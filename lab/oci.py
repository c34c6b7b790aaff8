"""OCI images without an engine: layers are tar files, an image is a tar of an OCI layout. Called by `lab.images`.

Everything is reproducible: names in order, no times, owner root, so that equal content has an equal digest.
Sources: OCI image-spec, image-layout.md, config.md and manifest.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Layer:
    """A layer's tar file and its digest, which for an uncompressed layer is its diff id too."""

    file: Path

    @property
    def digest(self) -> str:
        """sha256:… of the file."""
        with self.file.open("rb") as handle:
            return f"sha256:{hashlib.file_digest(handle, 'sha256').hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class Image:
    """Layers from below, and how the image is run."""

    name: str
    layers: Sequence[Layer]
    entrypoint: Sequence[str] = ()
    arguments: Sequence[str] = ()
    user: str = ""
    environment: Sequence[str] = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    workdir: str = "/"

    def write(self, target: Path) -> None:
        """Write the layout tar. Layers are streamed, not held in memory."""
        digests = [each.digest for each in self.layers]
        config = _json(self._config(digests))
        layers = [
            _descriptor(LAYER, each.file.stat().st_size, digest)
            for each, digest in zip(self.layers, digests, strict=True)
        ]
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor(CONFIG, len(config), _digest(config)),
                "layers": layers,
            }
        )
        named = {"annotations": {"io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": self.name}}
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{**_descriptor(MANIFEST, len(manifest), _digest(manifest)), **named}],
        }
        unfinished = target.with_suffix(".unfinished")
        with tarfile.open(unfinished, "w") as archive:
            _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            _add(archive, "index.json", _json(index))
            for blob in (config, manifest):
                _add(archive, f"blobs/sha256/{_digest(blob).removeprefix('sha256:')}", blob)
            for layer, digest in dict(zip(self.layers, digests, strict=True)).items():
                archive.add(layer.file, f"blobs/sha256/{digest.removeprefix('sha256:')}", filter=_plain)
        unfinished.rename(target)

    def _config(self, digests: Sequence[str]) -> dict[str, Any]:
        run = {
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.arguments),
            "Env": list(self.environment),
            "User": self.user,
            "WorkingDir": self.workdir,
        }
        return {
            "architecture": "amd64",
            "os": "linux",
            "config": {key: value for key, value in run.items() if value},
            "rootfs": {"type": "layers", "diff_ids": list(digests)},
        }


def layer_of_files(files: Mapping[str, Path], target: Path) -> Layer:
    """A layer of files: path in the image → file. All executable where the source is."""
    unfinished = target.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w") as archive:
        for folder in sorted({str(parent) for path in files for parent in Path(path).parents} - {"/", "."}):
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, source in sorted(files.items()):
            archive.add(source, path.lstrip("/"), filter=_plain)
    unfinished.rename(target)
    return Layer(target)


def copy_layer(source: Path, target: Path) -> Layer:
    """A finished tar as a layer."""
    shutil.move(source, target)
    return Layer(target)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _descriptor(media: str, size: int, digest: str) -> dict[str, Any]:
    return {"mediaType": media, "digest": digest, "size": size}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
