"""Every sample as the real API server takes it, strictly: a field that is gone or a rule that forbids it fails here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lab.servers import ApiServer
from provider.cluster.client import Cluster
from tests.samples import DATABASES, SAMPLES, documents


@pytest.mark.parametrize("file", [*SAMPLES, *DATABASES], ids=lambda each: each.stem)
async def test_every_sample_is_let_in(api_server: ApiServer, management: Cluster, file: Path) -> None:
    done = api_server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(file), check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().count("server dry run") == len(documents(file))


async def test_a_sample_with_a_field_that_nobody_knows_is_not(
    api_server: ApiServer, management: Cluster, tmp_path: Path
) -> None:
    stale = tmp_path / "stale.yaml"
    stale.write_text(SAMPLES[0].read_text().replace("dataStoreOverrides", "dataStoreExceptions"))
    done = api_server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(stale), check=False)
    assert done.returncode != 0
    assert "dataStoreExceptions" in done.stderr.decode()


def test_all_samples_can_be_applied_together() -> None:
    names = Counter(
        (each["kind"], each["metadata"]["name"]) for file in [*SAMPLES, *DATABASES] for each in documents(file)
    )
    assert {name for name, count in names.items() if count > 1} == set()
