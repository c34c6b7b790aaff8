"""A20: what users of upstream have written is taken by our kinds and says the same: upstream's released CRDs beside ours.

All their fields, one by one, and all objects that its releases come with, in real API servers.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import crds
from lab.servers import ApiServer, Etcd
from provider.api import names
from provider.cluster import connect
from provider.manifest import Manifest
from tests.conformance import upstream
from tests.conformance.upstream import Pair

DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences.md"
BY_TEMPLATE, IN_TEMPLATE = "KamajiControlPlaneTemplate", "spec.template.spec"
HOSTED = "v1.34.4"  # upstream's objects ask for versions that nobody hosts any more
BROKEN = {"kamaji_v1alpha1_tenantcontrolplane_konnectivity"}  # refused by upstream's own CRD: its indentation is wrong
FOLDERS = {"provider": ("config/samples", "templates"), "operator": ("config/samples",)}


def found_less() -> set[str]:
    """Everything in which ours take less, of what users write."""
    return {each for pair in upstream.pairs() for each in _less(pair)}


def _less(pair: Pair) -> Iterator[str]:
    for _, theirs, ours in pair.schemas():
        for each in upstream.less(theirs, ours):
            if each.startswith("status") and not each.endswith((": missing", ": type")):
                continue  # the operator's own words: of those only that they are there
            yield each.replace(IN_TEMPLATE, "spec", 1) if pair.kind == BY_TEMPLATE else each


def test_a20_what_our_kinds_do_not_take_as_upstreams_do_is_told_field_by_field() -> None:
    told = [each for row in upstream.table()["less"] for each in row["fields"]]
    assert len(told) == len(set(told))
    found = found_less()
    assert not [each for each in found if each.endswith((": missing", ": type"))]
    assert found == set(told)


def test_a20_the_page_of_differences_says_each_of_them() -> None:
    text = " ".join(DIFFERENCES.read_text().split())
    missing = [row["said"] for row in upstream.table()["less"] if row["said"] not in text]
    assert missing == []


# --- the objects of its releases


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """An API server with upstream's kinds."""
    server = ApiServer(tmp_path_factory.mktemp("released"), plain_etcd, prefix="/released").start()
    try:
        file = server.folder / "kinds.yaml"
        file.write_text(yaml.dump_all([each.theirs for each in upstream.pairs()], Dumper=yaml.CSafeDumper))
        server.kubectl("apply", "--server-side", f"--filename={file}")
        asyncio.run(_served(server))
        yield server
    finally:
        server.stop()


async def _served(server: ApiServer) -> None:
    cluster = await connect.from_kubeconfig(server.kubeconfig())
    await crds.until_served(cluster)
    await cluster.close()


def examples() -> list[Manifest]:
    """Every object of a kind that is ours in the samples and templates of its releases, with something for each variable."""
    kinds = {each.kind for each in upstream.pairs()}
    found = []
    for name, folders in FOLDERS.items():
        for file in sorted(each for folder in folders for each in (upstream.module(name) / folder).rglob("*.yaml")):
            for each in yaml.safe_load_all(filled(file.read_text())):
                if (
                    each and each.get("kind") in kinds and file.stem not in BROKEN
                ):  # kustomization.yaml need not say its
                    found.append(numbered(each, file.stem, len(found)))
    return found


def filled(text: str) -> str:
    """Variables with a default have it; versions, numbers and names are what they could be."""

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if "VERSION" in name:
            return HOSTED
        return default or ("2" if re.search("REPLICAS|COUNT|PORT|PREFIX|CORES", name) else "word")

    return re.sub(r"\$\{(\w+)(?::?[=-]([^}]*))?\}", value, text)


def numbered(manifest: Manifest, file: str, number: int) -> Manifest:
    """Each under a name of its own, which tells where it comes from, and with a version that is hosted."""
    spec = json.loads(json.dumps(manifest["spec"]))
    if manifest["kind"] == "KamajiControlPlane":
        spec["version"] = HOSTED
    if manifest["kind"] == "TenantControlPlane":
        spec["kubernetes"]["version"] = HOSTED
    name = re.sub("[^a-z0-9]+", "-", f"n{number}-{file}".lower())[:50].strip("-")
    return {**manifest, "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def stored(server: ApiServer, manifests: list[Manifest]) -> dict[str, Any]:
    """The specs as the API server would keep them, by name. It refuses fields that it does not know."""
    file = server.folder / "examples.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))
    done = server.kubectl("create", "--dry-run=server", "--output=yaml", f"--filename={file}", check=False)
    assert done.returncode == 0, done.stderr.decode()
    items = list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))
    assert len(items) == len(manifests)
    return {each["metadata"]["name"]: each["spec"] for each in items}


def differing(theirs: Any, ours: Any, path: str = "spec") -> Iterator[str]:
    """Paths at which ours says something else than theirs; what only ours knows is not said by any user of theirs."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs):
            yield from differing(theirs.get(key), ours.get(key), f"{path}.{key}")
    elif theirs != ours:
        yield path


def as_older(manifest: Manifest) -> Manifest:
    """In the other version that ours are served in."""
    if not manifest["kind"].startswith("KamajiControlPlane"):
        return manifest
    return {**manifest, "apiVersion": f"{names.CONTROL_PLANE_GROUP}/{names.CONTROL_PLANE_OLDER}"}


def test_a20_every_object_of_upstreams_releases_is_taken_and_says_the_same(
    theirs: ApiServer, capi_server: ApiServer
) -> None:
    wanted = examples()
    assert {each["kind"] for each in wanted} == {each.kind for each in upstream.pairs()}
    there = stored(theirs, wanted)
    # Where another default is filled in, and the page of differences says so.
    told = {
        each.removesuffix(": default").replace("spec.", "", 1)
        for row in upstream.table()["less"]
        for each in row["fields"]
        if each.endswith(": default")
    }
    for ours in (stored(capi_server, wanted), stored(capi_server, [as_older(each) for each in wanted])):
        for name, spec in there.items():
            others = [
                each.replace(IN_TEMPLATE, "spec", 1).replace("spec.", "", 1) for each in differing(spec, ours[name])
            ]
            assert not [each for each in others if not within(each, told)], name


def within(path: str, told: set[str]) -> bool:
    return any(path == each or path.startswith(f"{each}.") for each in told)
