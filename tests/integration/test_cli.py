"""The command line as people run it: a process with a kubeconfig, before a real management cluster and a tenant that serves."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import programs
from lab.servers import ApiServer
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import meta
from tests.integration.hosted import Hosted, Store
from tests.integration.kamaji_process import PROGRAM, Kamaji


@pytest.fixture
async def tenant(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Hosted]:
    """It serves, and its endpoint is where it can be reached from here."""
    found = Hosted(management, store, namespace, tmp_path / "tenant")
    await found.say(networkProfile={"address": "127.0.0.1"})
    await found.look()
    await found.serve()
    await found.until_joinable()
    await found.look()
    yield found
    await found.stop()


async def test_a_tenant_at_a_glance_is_a_line_also_in_a_pipe_and_data_on_request(
    tenant: Hosted, kamaji: Kamaji
) -> None:
    done = await kamaji("get")
    assert done.returncode == 0, done.stderr
    heading, line = done.stdout.splitlines()
    assert heading.split() == ["NAME", "STATE", "VERSION", "ENDPOINT", "STORE", "USAGE", "AGE"]
    words = line.split()
    assert words[:5] == ["demo", "Ready", "v1.36.3", f"127.0.0.1:{tenant.port}", tenant.store.name]
    assert "\x1b" not in done.stdout
    (row,) = [each for each in await kamaji.data("get", "-A") if each["namespace"] == tenant.namespace]
    assert (row["name"], row["state"], row["store"]) == ("demo", "Ready", tenant.store.name)
    (same,) = yaml.safe_load((await kamaji("get", "-o", "yaml")).stdout)
    assert {**same, "age": ""} == {**row, "age": ""}


async def test_of_a_tenant_that_serves_explain_says_so_and_of_one_that_cannot_why_and_what_to_do(
    tenant: Hosted, kamaji: Kamaji
) -> None:
    done = await kamaji("explain", "demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tenant.namespace}/demo is ready: v1.36.3 at 127.0.0.1:{tenant.port}")
    await other(tenant, "lost", dataStore="nowhere")
    done = await kamaji("explain", "lost")
    assert done.returncode == 1
    assert done.stdout.startswith(f"{tenant.namespace}/lost is not ready.")
    assert "StorageReady: DataStoreNotFound" in done.stdout
    assert "nowhere" in done.stdout
    assert "kubectl describe datastore nowhere" in done.stdout
    finding = (await kamaji.data("explain", "lost"))["findings"][0]
    assert finding["condition"] == "StorageReady"
    assert finding["look"][0] == "kamaji stores"


async def test_a_tenant_that_no_provider_looks_at_is_told_as_such(
    management: Cluster, namespace: str, store: Store, kamaji: Kamaji, tmp_path: Path
) -> None:
    fresh = Hosted(management, store, namespace, tmp_path / "fresh", name="fresh")
    await fresh.say()
    assert "not ready" in (await kamaji("explain", "fresh")).stdout
    assert (await kamaji("get")).stdout.splitlines()[1].split()[:2] == ["fresh", "New"]
    await fresh.stop()


async def test_what_a_tenant_wrote_cannot_move_a_terminal(tenant: Hosted, kamaji: Kamaji) -> None:
    event = meta.new(
        kinds.EVENT,
        "demo.1",
        tenant.namespace,
        type="Warning",
        reason="Odd",
        action="Say",
        note="\x1b[2J[bold]gone[/bold]",
        eventTime="2026-01-01T00:00:00.000000Z",
        reportingController="tests",
        reportingInstance="tests",
        regarding={"kind": "Pod", "name": "demo-0", "namespace": tenant.namespace},
    )
    await tenant.cluster.create(event)
    done = await kamaji("explain", "demo")
    assert "Pod demo-0: Odd: [2J[bold]gone[/bold]" in done.stdout
    assert "\x1b" not in done.stdout


async def test_the_tree_has_every_object_here_and_inside_with_its_health(tenant: Hosted, kamaji: Kamaji) -> None:
    done = await kamaji("tree", "demo")
    assert done.returncode == 0, done.stderr
    for line in (
        "Deployment %s/demo  1 of 1 ready",
        "Pod %s/demo-0  ready",
        "Secret %s/demo-ca",
        "Service %s/demo  ClusterIP",
    ):
        assert line % tenant.namespace in done.stdout
    assert re.search(r"demo-api-server-certificate  certificate good for \d+ days", done.stdout)
    inside = done.stdout.partition("inside it")[2]
    assert "ConfigMap kube-system/kubeadm-config" in inside
    assert tenant.process is not None
    tenant.process.stop()
    done = await kamaji("tree", "demo")
    assert done.returncode == 0
    assert "inside it: not known" in done.stdout


async def test_certificates_are_listed_with_their_ages_and_never_a_key(tenant: Hosted, kamaji: Kamaji) -> None:
    done = await kamaji("certificates", "demo")
    assert done.returncode == 0, done.stderr
    rows = await kamaji.data("certificates", "demo")
    by_secret = {each["secret"]: each for each in rows}
    assert by_secret["demo-ca"]["issuer"] == "itself"
    assert by_secret["demo-api-server-certificate"]["issuer"] == by_secret["demo-ca"]["subject"]
    assert by_secret["demo-admin-kubeconfig"]["days"] > 300
    assert [each["expires"] for each in rows] == sorted(each["expires"] for each in rows)
    assert "PRIVATE" not in done.stdout + json.dumps(rows)


async def test_the_kubeconfig_is_printed_and_merged_beside_what_is_there(
    tenant: Hosted, kamaji: Kamaji, tmp_path: Path
) -> None:
    printed = (await kamaji("kubeconfig", "demo")).stdout
    secret = await tenant.get(kinds.SECRET, names.admin_kubeconfig_secret("demo"))
    assert printed.encode() == meta.decoded(secret)["admin.conf"]
    mine = tmp_path / "mine"
    mine.write_text(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "users": [{"name": "me", "user": {"token": "x"}}]})
    )
    for _ in range(2):
        done = await kamaji("merge", "demo", "--into", str(mine), "--use")
        assert done.returncode == 0, done.stderr
    merged = yaml.safe_load(mine.read_text())
    context = f"{tenant.namespace}-demo"
    assert [each["name"] for each in merged["users"]] == ["me", context]
    assert merged["current-context"] == context
    assert stat.S_IMODE(mine.stat().st_mode) == 0o600
    seen = await ran(programs.path("kubectl"), "--kubeconfig", mine, "get", "namespace", "kube-system", "-o", "name")
    assert seen.stdout.strip() == "namespace/kube-system", seen.stderr
    for text in ("- a list", "a: [broken"):
        mine.write_text(text)
        done = await kamaji("merge", "demo", "--into", str(mine))
        assert done.returncode == 2
        assert "left as it is" in done.stderr
        assert mine.read_text() == text


async def test_the_join_line_has_a_token_that_the_tenant_takes_and_the_pin_of_its_authority(
    tenant: Hosted, kamaji: Kamaji
) -> None:
    done = await kamaji("join-command", "demo", "--ttl", "1h")
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(
        r"kubeadm join 127\.0\.0\.1:(\d+) --token ([a-z0-9]{6})\.([a-z0-9]{16})"
        r" --discovery-token-ca-cert-hash sha256:([0-9a-f]{64})\n",
        done.stdout,
    )
    assert found, done.stdout
    assert int(found[1]) == tenant.port
    ca = meta.decoded(await tenant.get(kinds.SECRET, names.ca_secret("demo")))["ca.crt"]
    (tenant.folder / "join-ca.crt").write_bytes(ca)
    pin = f"openssl x509 -pubkey -noout -in {tenant.folder}/join-ca.crt | openssl pkey -pubin -outform der | sha256sum"
    assert (await ran("bash", "-c", pin)).stdout[:64] == found[4]
    server = ["--server", f"https://127.0.0.1:{tenant.port}", "--certificate-authority", tenant.folder / "join-ca.crt"]
    whoami = (*server, "--token", f"{found[2]}.{found[3]}", "auth", "whoami", "-o", "json")
    async with asyncio.timeout(60):
        while (answer := await ran(programs.path("kubectl"), *whoami)).returncode:  # a token is known a moment later
            await asyncio.sleep(0.2)
    user = json.loads(answer.stdout or "{}").get("status", {}).get("userInfo", {})
    assert user.get("username") == f"system:bootstrap:{found[2]}", answer.stderr
    assert names.NODE_TOKEN_GROUP in user["groups"]
    for ttl in ("tomorrow", "0h", "90d"):
        assert (await kamaji("join-command", "demo", "--ttl", ttl)).returncode == 2


async def test_a_tenant_is_put_to_sleep_and_woken_with_as_many_replicas_as_it_had(
    tenant: Hosted, kamaji: Kamaji
) -> None:
    await tenant.say(controlPlane={"deployment": {"replicas": 3}, "service": {"serviceType": "ClusterIP"}})
    assert "it had 3 replicas" in (await kamaji("sleep", "demo")).stdout
    assert "sleeps already" in (await kamaji("sleep", "demo")).stdout
    await tenant.look()
    assert (await kamaji.data("get"))[0]["state"] == "Sleeping"
    explained = await kamaji("explain", "demo")
    assert (explained.returncode, explained.stdout.splitlines()[0]) == (1, f"{tenant.namespace}/demo sleeps.")
    assert f"kamaji wake {tenant.namespace}/demo" in explained.stdout
    assert "with 3 replicas" in (await kamaji("wake", "demo")).stdout
    assert "awake already" in (await kamaji("wake", "demo")).stdout
    found = await tenant.tcp()
    assert found["spec"]["controlPlane"]["deployment"]["replicas"] == 3
    assert "awake-replicas" not in json.dumps(meta.annotations_of(found))


async def test_a_tenant_of_cluster_apis_sleeps_and_rotates_by_its_kamaji_control_plane(
    tenant: Hosted, kamaji: Kamaji
) -> None:
    asking = meta.new(kinds.KAMAJI_CONTROL_PLANE, "asks", tenant.namespace, spec={"version": "v1.36.3", "replicas": 2})
    owner = await tenant.cluster.apply(asking, manager="tests")
    metadata = {"ownerReferences": meta.owned({"metadata": {}}, owner)["metadata"]["ownerReferences"]}
    await tenant.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, "demo", tenant.namespace, {"metadata": metadata}, manager="tests"
    )
    assert f"KamajiControlPlane {tenant.namespace}/asks goes to sleep" in (await kamaji("sleep", "demo")).stdout
    assert (await kamaji("rotate", "demo", "ca")).returncode == 0
    asked = await tenant.get(kinds.KAMAJI_CONTROL_PLANE, "asks")
    assert asked["spec"]["replicas"] == 0
    assert names.ANNOTATION_ROTATE_CA in meta.annotations_of(asked)
    assert (await tenant.tcp())["spec"]["controlPlane"]["deployment"]["replicas"] == 1


async def test_a_rotation_is_asked_for_and_explained_while_it_lasts(tenant: Hosted, kamaji: Kamaji) -> None:
    assert (await kamaji("rotate", "demo", "service-account-key")).returncode == 0
    await tenant.look(2)
    found = (await kamaji.data("explain", "demo"))["findings"]
    assert [each["reason"] for each in found if each["reason"] in ("Preparing", "Signing")], found
    wrong = await kamaji("rotate", "demo", "everything")
    assert (wrong.returncode, "service-account-key" in wrong.stderr) == (2, True)


async def test_a_plan_says_what_would_change_whom_it_touches_and_writes_nothing(
    tenant: Hosted, kamaji: Kamaji, tmp_path: Path
) -> None:
    file = tmp_path / "demo.yaml"
    await tenant.look()
    spec = (await tenant.tcp())["spec"]
    before = {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in await everything(tenant)}
    write(file, tenant, spec)
    assert "nothing would change" in (await kamaji("plan", str(file))).stdout
    assert (await kamaji("diff", str(file))).returncode == 0
    spec["networkProfile"]["certSANs"] = ["api.example.com"]
    spec["controlPlane"]["deployment"]["extraArgs"] = {"apiServer": ["--profiling=true"]}
    write(file, tenant, spec)
    done = await kamaji("plan", str(file))
    assert done.returncode == 0, done.stderr
    assert "spec.networkProfile.certSANs: nothing → [api.example.com]" in done.stdout
    assert "~ Secret demo-api-server-certificate" in done.stdout
    assert "~ Deployment demo" in done.stdout
    assert "pods are replaced" in done.stdout
    assert "certificate is made anew by the same authority" in done.stdout
    assert "Secret demo-ca\n" not in done.stdout
    diff = await kamaji("diff", "-", said=file.read_text())
    assert diff.returncode == 1
    assert "+        - --profiling=true" in diff.stdout
    secret = meta.decoded(await tenant.get(kinds.SECRET, "demo-api-server-certificate"))["apiserver.key"]
    assert secret.decode().splitlines()[1] not in diff.stdout
    assert before == {
        each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in await everything(tenant)
    }


async def test_a_plan_of_what_would_be_refused_says_why(tenant: Hosted, kamaji: Kamaji, tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    spec = (await tenant.tcp())["spec"]
    write(file, tenant, {**spec, "kubernetes": {**spec["kubernetes"], "version": "v1.20.0"}})
    done = await kamaji("plan", str(file))
    assert done.returncode == 1
    assert "would be refused" in done.stderr
    for text, word in (("a: [", "no YAML"), ("kind: Pod", "no TenantControlPlane"), ("", "no TenantControlPlane")):
        file.write_text(text)
        done = await kamaji("plan", str(file))
        assert (done.returncode, word in done.stderr) == (2, True), done.stderr
    assert (await kamaji("plan", str(tmp_path / "absent.yaml"))).returncode == 2


async def test_a_new_tenant_is_planned_too(tenant: Hosted, kamaji: Kamaji, tmp_path: Path) -> None:
    file = tmp_path / "next.yaml"
    spec = (await tenant.tcp())["spec"]
    write(file, tenant, {**spec, "networkProfile": {"port": 6443, "address": "127.0.0.2"}}, name="next")
    done = await kamaji("plan", str(file))
    assert done.returncode == 0, done.stderr
    assert "next would be made" in done.stdout
    assert "+ Service next" in done.stdout
    assert await tenant.cluster.get(kinds.SERVICE, "next", tenant.namespace) is None


async def test_stores_say_who_is_in_them_and_why(tenant: Hosted, kamaji: Kamaji) -> None:
    await tenant.store.look()
    row = next(each for each in await kamaji.data("stores") if each["name"] == tenant.store.name)
    assert (row["driver"], row["ready"], row["tenants"]) == ("etcd", True, 1)
    assert row["usedBy"] == [f"{tenant.namespace}/demo"]
    placed = next(
        each for each in await kamaji.data("stores", "--placements") if each["tenant"] == f"{tenant.namespace}/demo"
    )
    assert placed["store"] == tenant.store.name
    assert placed["why"]


async def test_the_doctor_names_what_is_not_fit_and_goes_on(tenant: Hosted, kamaji: Kamaji) -> None:
    done = await kamaji("doctor")
    rows = {each["question"]: each for each in await kamaji.data("doctor")}
    assert done.returncode == 1  # nobody leads here
    assert rows["Kubernetes version"]["verdict"] == "ok"
    assert rows["clock"]["verdict"] == "ok"
    assert rows["kinds"]["verdict"] == "ok"
    assert rows["leader"]["verdict"] == "bad"
    assert rows["DNS"]["verdict"] == "unsure"  # nobody runs pods here
    assert rows["storage"]["answer"].startswith("no default StorageClass")
    assert rows["your permissions"]["verdict"] == "ok"


async def test_wrong_use_ends_with_a_sentence_and_a_status_that_means_it(
    tenant: Hosted, kamaji: Kamaji, api_server: ApiServer, tmp_path: Path
) -> None:
    cases: list[tuple[tuple[str, ...], int, str]] = [
        (("explain", "dmo"), 2, "did you mean demo?"),
        (("explain", "-n", "elsewhere", "demo"), 2, "but one in"),
        (("explain", "a/b/c"), 2, "write NAME or NAMESPACE/NAME"),
        (("--context", "nobody", "get"), 3, "cannot be used"),
        (("--kubeconfig", str(tmp_path / "absent"), "get"), 3, "cannot be used"),
        (("frobnicate",), 2, "No such command"),
    ]
    for arguments, status, words in cases:
        done = await kamaji(*arguments)
        assert (done.returncode, words in done.stderr) == (status, True), (arguments, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
    stranger = tmp_path / "stranger"
    stranger.write_bytes(api_server.kubeconfig("stranger", "strangers"))
    done = await kamaji("--kubeconfig", str(stranger), "get")
    assert (done.returncode, "not allowed" in done.stderr) == (3, True)
    down = yaml.safe_load(stranger.read_text())
    down["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    stranger.write_text(yaml.safe_dump(down))
    done = await kamaji("--kubeconfig", str(stranger), "get")
    assert (done.returncode, "no answer" in done.stderr) == (3, True)


async def test_a_reader_that_has_seen_enough_is_no_error(tenant: Hosted, kamaji: Kamaji) -> None:
    line = f"{sys.executable} -c '{PROGRAM}' certificates demo -o json | head -c 1"
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", f"set -o pipefail; {line}"],
        env={**os.environ, "KUBECONFIG": str(kamaji.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout == "["


async def ran(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Another program, without the user's own files."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, env=environment, timeout=180
    )


async def other(tenant: Hosted, name: str, **spec: Any) -> None:
    """One more tenant beside it, looked at once."""
    found = Hosted(tenant.cluster, tenant.store, tenant.namespace, tenant.folder / name, name=name)
    await found.say(**spec)
    await found.look()
    await found.stop()


async def everything(tenant: Hosted) -> list[dict[str, Any]]:
    lists = [
        await tenant.cluster.list(kind, tenant.namespace)
        for kind in (kinds.SECRET, kinds.DEPLOYMENT, kinds.SERVICE, kinds.CONFIG_MAP, kinds.TENANT_CONTROL_PLANE)
    ]
    return [each for found in lists for each in found]


def write(file: Path, tenant: Hosted, spec: dict[str, Any], name: str = "demo") -> None:
    document = meta.new(kinds.TENANT_CONTROL_PLANE, name, tenant.namespace, spec=spec)
    file.write_text(yaml.safe_dump(document))
