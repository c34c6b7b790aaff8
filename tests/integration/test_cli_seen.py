"""What the command line says of tenants that the provider has made: what they take, whether they are apart, who may go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.servers import ApiServer
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import meta
from tests.integration.hosted import MANAGER, Hosted, Store
from tests.integration.kamaji_process import PROGRAM, Kamaji
from tests.integration.metrics_api import metrics_served
from tests.terminal import COLOUR, shown, widest

WIDE_OPEN = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
QUESTIONS = {
    "what its store refuses it": "ok",
    "whom it shares its store with": "ok",
    "who reaches its store": "unsure",  # it is not of a pool
    "who reaches its pods": "ok",
    "what its pods may do": "ok",
    "what of the node they see": "ok",
    "whether they hold a token": "ok",
}


@pytest.fixture
async def born(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Hosted]:
    """With all that the provider makes of it before its first pod."""
    found = Hosted(management, store, namespace, tmp_path / "tenant")
    await found.say()
    await found.look()
    await store.look()
    yield found
    await found.stop()


async def test_the_promises_of_isolation_hold_until_somebody_loosens_one_and_that_is_found(
    born: Hosted, kamaji: Kamaji
) -> None:
    done = await kamaji("isolation", "demo")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    rows = {each["question"]: each for each in await kamaji.data("isolation", "demo")}
    assert {question: row["verdict"] for question, row in rows.items()} == QUESTIONS, rows
    assert "refused: grant, range" in rows["what its store refuses it"]["answer"]

    await born.cluster.apply(
        meta.new(kinds.NETWORK_POLICY, "wide-open", born.namespace, spec=WIDE_OPEN), manager=MANAGER
    )
    deployment = {"replicas": 1, "podSecurityContext": {"runAsUser": 0}}
    await born.say(controlPlane={"service": {"serviceType": "ClusterIP"}, "deployment": deployment})
    await born.look()
    done = await kamaji("isolation", "demo")
    assert done.returncode == 1
    assert "NetworkPolicy wide-open opens every port to all" in done.stdout
    assert "kube-apiserver may run as root" in done.stdout


async def test_in_a_narrow_terminal_nothing_is_cut_and_without_colour_there_is_none(
    born: Hosted, kamaji: Kamaji
) -> None:
    environment = {**kamaji.environment, "NO_COLOR": "1"}
    found = await asyncio.to_thread(shown, PROGRAM, "isolation", "demo", **environment)
    assert "restricted" in found
    assert widest(found) <= 60
    assert not COLOUR.search(found)


async def test_what_a_tenant_takes_is_told_with_its_cost_and_what_is_not_known_is_said(
    born: Hosted, kamaji: Kamaji, tmp_path: Path
) -> None:
    await born.tell(await born.get(kinds.DEPLOYMENT))
    prices = tmp_path / "prices.yaml"
    prices.write_text("currency: EUR\ncpu: 1000\n")
    done = await kamaji("top", "--prices", str(prices))
    assert done.returncode == 0
    assert "no metrics server" in done.stderr
    assert "≥" in done.stdout.splitlines()[1]
    async with metrics_served(born.cluster):
        said = meta.new(kinds.POD_METRICS, "demo-0", born.namespace, labels={"kamaji.clastix.io/name": "demo"})
        said["containers"] = [{"name": "kube-apiserver", "usage": {"cpu": "250000000n", "memory": "300Mi"}}]
        await born.cluster.apply(said, manager=MANAGER)
        (row,) = await kamaji.data("top", "--prices", str(prices), "--by", "cost")
    assert (row["cpu"], row["memory"], row["cost"], row["currency"]) == (250, 300 * 2**20, 250.0, "EUR")
    assert 0 < row["cpuRequested"] < 250
    assert row["unmeasured"] == ["storage", "writesPerMinute"]


async def test_the_provider_may_not_go_while_there_is_a_tenant_and_nothing_is_deleted(
    born: Hosted, kamaji: Kamaji
) -> None:
    done = await kamaji("uninstall")
    assert (done.returncode, "has to stay" in done.stdout) == (1, True)
    found = await kamaji.data("uninstall")
    assert found["allowed"] is False
    assert f"{born.namespace}/demo" in found["tenants"]["TenantControlPlane"]
    assert born.store.name in found["others"]["DataStore"]
    assert not (await born.tcp())["metadata"].get("deletionTimestamp")


async def test_certificates_hang_below_the_authorities_that_signed_them(born: Hosted, kamaji: Kamaji) -> None:
    found = await kamaji.data("certificates", "demo", "--graph")
    (ca,) = [each for each in found if "demo-ca/ca.crt" in each["places"]]
    signed = {place for each in ca["signs"] for place in each["places"]}
    assert {"demo-api-server-certificate/apiserver.crt", "demo-admin-kubeconfig/admin.conf"} <= signed
    done = await kamaji("certificates", "demo", "--graph")
    assert (done.returncode, "days left" in done.stdout, "PRIVATE" in done.stdout) == (0, True, False)


async def test_another_admin_kubeconfig_is_asked_for_and_the_provider_makes_it(born: Hosted, kamaji: Kamaji) -> None:
    before = (await kamaji("kubeconfig", "demo")).stdout
    done = await kamaji("rotate", "demo", "kubeconfig")
    assert (done.returncode, "until its certificate expires" in done.stdout) == (0, True), done.stderr
    await born.look()
    after = (await kamaji("kubeconfig", "demo")).stdout
    assert (before.startswith("apiVersion"), after.startswith("apiVersion"), before != after) == (True, True, True)


async def test_wrong_names_and_missing_rights_end_with_a_sentence_and_a_status_that_means_it(
    born: Hosted, kamaji: Kamaji, api_server: ApiServer, tmp_path: Path
) -> None:
    stranger = Kamaji.of(api_server, born.namespace, tmp_path, "stranger", "strangers")
    cases: list[tuple[Kamaji, tuple[str, ...], int, str]] = [
        (kamaji, ("isolation", "dmo"), 2, "did you mean demo?"),
        (kamaji, ("top", "--prices", str(tmp_path / "absent")), 2, "cannot be read"),
        (kamaji, ("move", "demo", f"{born.store.name}x"), 2, f"did you mean {born.store.name}?"),
        (kamaji, ("move", "demo", born.store.name, "--wait", "soon"), 2, "is no time"),
        (kamaji, ("backup", "demo"), 2, "say --volume and --key"),
        (kamaji, ("restore", "demo", "lost"), 2, "say --in-place"),
        (kamaji, ("restore", "dmo", "lost", "--in-place"), 2, "did you mean demo?"),
        (kamaji, ("restore", "next", "lost"), 2, "there is no TenantBackup"),
        *(
            (stranger, arguments, 3, "not allowed")
            for arguments in (("top",), ("isolation", "demo"), ("move", "demo", "x"), ("backup", "demo"), ("backups",))
        ),
        (stranger, ("restore", "next", "lost"), 3, "not allowed"),
        (stranger, ("uninstall",), 3, "not allowed"),
    ]
    turns = asyncio.Semaphore(2)

    async def tried(who: Kamaji, arguments: tuple[str, ...], status: int, words: str) -> None:
        async with turns:
            done = await who(*arguments)
        assert (done.returncode, words in done.stderr, done.stdout) == (status, True, ""), (arguments, done)
        assert "Traceback" not in done.stderr

    await asyncio.gather(*(tried(*case) for case in cases))
    assert await born.cluster.list(kinds.TENANT_BACKUP, born.namespace) == []
    assert await born.cluster.list(kinds.TENANT_RESTORE, born.namespace) == []
