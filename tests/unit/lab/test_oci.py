"""Images are reproducible OCI layouts: equal content has an equal digest."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

from lab import oci


def written(folder: Path) -> Path:
    folder.mkdir()
    binary = folder / "program"
    binary.write_bytes(b"#!/bin/true\n")
    binary.chmod(0o755)
    layer = oci.layer_of_files({"/usr/local/bin/program": binary}, folder / "layer.tar")
    target = folder / "image.tar"
    oci.Image(name="example.test/program:v1", layers=[layer], entrypoint=["/usr/local/bin/program"]).write(target)
    return target


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    assert written(tmp_path / "a").read_bytes() == written(tmp_path / "b").read_bytes()


def test_every_blob_is_named_by_its_digest_and_the_index_leads_to_the_layer(tmp_path: Path) -> None:
    with tarfile.open(written(tmp_path / "a")) as archive:

        def blob(digest: str) -> bytes:
            file = archive.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
            assert file is not None
            content = file.read()
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
            return content

        index_file = archive.extractfile("index.json")
        assert index_file is not None
        entry = json.loads(index_file.read())["manifests"][0]
        assert entry["annotations"]["io.containerd.image.name"] == "example.test/program:v1"
        manifest = json.loads(blob(entry["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        assert config["rootfs"]["diff_ids"] == [each["digest"] for each in manifest["layers"]]
        assert config["config"]["Entrypoint"] == ["/usr/local/bin/program"]
        for each in manifest["layers"]:
            assert len(blob(each["digest"])) == each["size"]


def test_files_belong_to_root_and_programs_can_be_run_by_everybody(tmp_path: Path) -> None:
    written(tmp_path / "a")
    with tarfile.open(tmp_path / "a" / "layer.tar") as layer:
        entries = {each.name: each for each in layer.getmembers()}
    assert entries["usr/local/bin/program"].mode == 0o755
    assert all((each.uid, each.gid, each.mtime) == (0, 0, 0) for each in entries.values())
    assert entries["usr/local"].isdir()
