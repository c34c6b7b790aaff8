"""Stored objects against the tenant's real kube-apiservers and a real etcd, in which all that is stored is looked at."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting import encryption
from provider.hosting.datastores.etcd import stored
from provider.hosting.encryption.document import ENCRYPTED, FILE, Plugin
from provider.hosting.encryption.phases import Held
from provider.manifest import meta
from tests.integration.encryption_world import DEFAULT, PATIENCE, PLAIN, Vault
from tests.integration.hosted import MANAGER, Hosted, Store
from tests.integration.in_force import let_through, refused
from tests.integration.kms_plugin import KmsPlugin
from tests.integration.rollout import Rollout

COUNTER = itertools.count(1)
MAIN, COPY = names.encryption_secret("demo"), names.encryption_copy_secret("demo")


@pytest.fixture
async def vault(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Vault]:
    """A tenant that serves, with nothing encrypted."""
    hosted = Hosted(management, store, namespace, tmp_path / "tenant")
    found = Vault(hosted, Rollout(hosted), store)
    await found.rollout.open()
    await hosted.say()
    await served(found)
    yield found
    await found.rollout.close()
    await hosted.stop()


@pytest.fixture
def plugin() -> Iterator[KmsPlugin]:
    with tempfile.TemporaryDirectory(prefix="kms-") as folder:
        found = KmsPlugin(Path(folder))
        found.start()
        yield found
        found.stop()


async def served(vault: Vault) -> None:
    for _ in range(100):
        await vault.hosted.look()
        await vault.rollout.step()
        await vault.hosted.look()
        if (await vault.hosted.condition("Ready"))["status"] == "True":
            return
    raise AssertionError(await vault.hosted.tcp())


async def held(vault: Vault) -> Held:
    found = encryption.read(await vault.secret(MAIN))
    assert found is not None
    return found


async def gone(vault: Vault, name: str) -> None:
    """Deleted, and what holds it taken off by force."""
    hosted = vault.hosted
    await hosted.cluster.delete(kinds.SECRET, name, hosted.namespace)
    if await hosted.cluster.get(kinds.SECRET, name, hosted.namespace) is not None:
        patch = {"metadata": {"finalizers": None}}
        await hosted.cluster.merge(kinds.SECRET, name, hosted.namespace, patch, manager="by-hand")


async def by_one_key(vault: Vault) -> str:
    """How everything begins that is stored of Secrets; all of it by one key."""
    (prefix,) = await vault.stored()
    assert prefix == (await held(vault)).document.wanted("secrets").decode().rstrip(":")
    return prefix


@pytest.mark.keeps("better.encryption")
async def test_secrets_come_to_be_encrypted_get_another_key_and_are_plain_again_while_clients_work_on(
    vault: Vault,
) -> None:
    made = await vault.fill(60)
    assert set(await vault.stored()) == {PLAIN}
    async with vault.used():
        await vault.say(encrypt="secrets")
        await vault.encrypted()
        first = await by_one_key(vault)
        assert vault.seen == ["", "Preparing", "Writing", "Rewriting"]
        assert await vault.read() == made
        said = await vault.status()
        assert (said["proven"], said["left"], said["objects"] >= 60) == (True, 0, True)
        await vault.say(rotate_encryption_key="one")
        await vault.until(lambda told: told[1] == "Preparing")
        await vault.encrypted()
        second = await by_one_key(vault)
        assert second != first
        assert await vault.read() == made
        while any(each.template != vault.rollout.pods[0].template for each in vault.rollout.pods):
            await vault.step()
        assert len((await held(vault)).document.readers) == 1, "the former key is gone"
        await vault.say(encrypt=None)
        await vault.until(lambda told: told == ("", "", ""))
        assert set(await vault.stored()) == {PLAIN}
        assert await vault.read() == made
        await vault.rollout.ended()
        for _ in range(3):
            await vault.step()
    assert await vault.hosted.cluster.get(kinds.SECRET, MAIN, vault.hosted.namespace) is None
    assert await vault.hosted.cluster.get(kinds.SECRET, COPY, vault.hosted.namespace) is None
    container = (await vault.hosted.get(kinds.DEPLOYMENT))["spec"]["template"]["spec"]["containers"][0]
    assert not any("encryption" in each for each in container["args"])
    assert vault.mutual == 7, "two rollouts to switch on, three for another key, two to switch off"
    assert await vault.status() == {}


async def test_a_tenant_that_asks_from_the_beginning_never_stores_a_secret_in_plain_text(
    management: Cluster, namespace: str, store: Store, tmp_path: Path
) -> None:
    hosted = Hosted(management, store, namespace, tmp_path / "tenant")
    found = Vault(hosted, Rollout(hosted), store)
    await found.rollout.open()
    try:
        await hosted.say()
        await found.say(encrypt="secrets,configmaps")
        await served(found)
        await found.fill(3)
        (prefix,) = await found.stored()
        assert prefix != PLAIN
        assert set(await found.stored("configmaps/")) == {prefix}, "also what was made before a first pass came in"
        assert set(await found.stored("namespaces/")) == {PLAIN}
        await found.encrypted()
        assert found.rollout._number == 1, "no pod was made anew for that"
    finally:
        await found.rollout.close()
        await hosted.stop()


@pytest.mark.nightly
async def test_a_provider_that_is_killed_at_every_stage_goes_on_where_it_was(vault: Vault) -> None:
    made = await vault.fill(120)
    vault.killed_at = {"Preparing", "Writing", "Rewriting"}
    await vault.say(encrypt="secrets")
    await vault.until(lambda told: told[1] == "Rewriting" and " of " in told[2])
    lefts = [(await vault.stored())[PLAIN]]
    while len(lefts) < 5:  # killed in the midst of it, each time when some more was written
        await vault.step()
        async with asyncio.timeout(PATIENCE):
            while (left := (await vault.stored())[PLAIN]) >= lefts[-1] > 0:
                await asyncio.sleep(0.02)
        await vault.restart()
        lefts.append(left)
    assert lefts == sorted(lefts, reverse=True)
    await vault.encrypted()
    await by_one_key(vault)
    vault.killed_at = {"Preparing", "Writing", "Rewriting"}
    await vault.say(rotate_encryption_key="one")
    await vault.until(lambda told: told[1] == "Preparing")
    await vault.encrypted()
    await by_one_key(vault)
    assert vault.kills >= 6
    assert await vault.read() == made


@pytest.mark.keeps("better.encryption-key-kept")
async def test_a_secret_that_is_deleted_or_changed_by_hand_is_put_back_and_no_pod_notices(vault: Vault) -> None:
    made = await vault.fill(5)
    await vault.say(encrypt="secrets")
    await vault.encrypted()
    before, pods = await vault.secret(MAIN), list(vault.rollout.pods)
    async with vault.used():
        for name in (MAIN, COPY):
            await vault.hosted.cluster.delete(kinds.SECRET, MAIN, vault.hosted.namespace)
            await vault.hosted.cluster.delete(kinds.SECRET, COPY, vault.hosted.namespace)
            for _ in range(4):  # the copy stands until the other is there, then it is made anew
                await vault.step()
            assert meta.decoded(await vault.secret(name)) == meta.decoded(before)
            await vault.change(name, b"secret: ", b"secret: AA")
            await vault.step()
            assert meta.decoded(await vault.secret(name)) == meta.decoded(before)
    assert vault.rollout.pods == pods
    assert (await vault.told())[:2] == ("True", "Encrypted")
    assert await vault.read() == made


@pytest.mark.keeps("better.encryption-key-kept")
@pytest.mark.parametrize("how", ["deleted", "changed"])
async def test_a_lost_key_is_one_clear_condition_and_serving_goes_on_until_it_is_back(vault: Vault, how: str) -> None:
    made = await vault.fill(5)
    await vault.say(encrypt="secrets")
    await vault.encrypted()
    kept, pods = await vault.secret(MAIN), list(vault.rollout.pods)
    template = (await vault.hosted.get(kinds.DEPLOYMENT))["spec"]["template"]
    async with vault.used():
        for name in (MAIN, COPY):
            if how == "deleted":
                await gone(vault, name)
            else:
                await vault.change(name, b"secret: ", b"secret: AA")
        for _ in range(3):
            await vault.restart()
            await vault.step()
        status, reason, message = await vault.told()
        assert (status, reason) == ("False", "EncryptionKeyLost")
        assert MAIN in message
        assert (await vault.hosted.condition("Ready"))["status"] == "False"
        assert (await vault.hosted.condition("Stalled"))["reason"] == "EncryptionKeyLost"
        assert await vault.read() == made, "the pods have it still"
    assert vault.rollout.pods == pods
    restored = meta.new(
        kinds.SECRET,
        COPY,
        vault.hosted.namespace,
        labels=meta.labels_of(kept),
        annotations=meta.annotations_of(kept),
        data=kept["data"],
    )
    await gone(vault, COPY)
    await vault.hosted.cluster.create(restored, manager="by-hand")
    await vault.encrypted()
    assert meta.decoded(await vault.secret(MAIN)) == meta.decoded(kept)
    assert (await vault.hosted.get(kinds.DEPLOYMENT))["spec"]["template"] == template
    assert await vault.read() == made


@pytest.mark.nightly
async def test_what_an_encryption_of_before_has_left_in_the_store_is_found(vault: Vault) -> None:
    """So that a tenant that comes without its Secrets is not given a first key once more."""
    schema = (await vault.hosted.tcp())["status"]["storage"]["setup"]["schema"]
    async with vault.store.opened() as opened:
        assert not await stored.any_begins(opened, schema, ENCRYPTED)
        await vault.say(encrypt="secrets")
        await vault.encrypted()
        assert await stored.any_begins(opened, schema, ENCRYPTED)
    for name in (MAIN, COPY):
        await gone(vault, name)
    hosted = vault.hosted
    await vault.rollout.vanish()
    await hosted.cluster.delete(kinds.DEPLOYMENT, hosted.name, hosted.namespace)
    await hosted.cluster.merge(
        kinds.TENANT_CONTROL_PLANE,
        hosted.name,
        hosted.namespace,
        {"status": {"storage": {"encryption": None}}},
        subresource="status",
        manager=MANAGER,
    )
    await vault.restart()
    await hosted.look()
    assert (await vault.told())[:2] == ("False", "EncryptionKeyLost")
    assert await hosted.cluster.get(kinds.SECRET, MAIN, hosted.namespace) is None


@pytest.mark.nightly
async def test_what_the_tenant_refuses_to_write_is_named_and_the_former_key_stays_until_it_is_written(
    vault: Vault,
) -> None:
    await vault.fill(10)
    expression = "object.metadata.name != 'mine-3'"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["secrets"]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": expression, "message": "nobody touches mine-3"}],
    }
    binding = {"policyName": "guard", "validationActions": ["Deny"]}
    async with vault.at() as session:
        await session.apply(meta.new(kinds.ADMISSION_POLICY, "guard", spec=spec), manager=MANAGER)
        await session.apply(meta.new(kinds.ADMISSION_POLICY_BINDING, "guard", spec=binding), manager=MANAGER)
        await refused(partial(touched, session))
    await vault.say(encrypt="secrets")
    await vault.until(lambda told: "nobody touches mine-3" in told[2])
    status, reason, message = await vault.told()
    assert (status, reason) == ("False", "Rewriting")
    assert "secrets default/mine-3" in message
    assert (await vault.stored())[PLAIN] == 1
    async with vault.at() as session:
        await session.delete(kinds.ADMISSION_POLICY, "guard")
        await let_through(partial(touched, session))
    await vault.restart()  # which tries at once
    await vault.encrypted()
    await by_one_key(vault)


async def touched(session: Cluster) -> None:
    """Somebody changes mine-3, and nothing comes of it."""
    said = meta.new(kinds.SECRET, "mine-3", DEFAULT, annotations={"touched": "now"})
    await session.apply(said, manager="probe", dry_run=True)


@pytest.mark.nightly
async def test_custom_resources_and_several_lists_are_encrypted_where_they_lie(vault: Vault) -> None:
    async with vault.at() as session:
        await session.apply(widgets(), manager=MANAGER)
        await let_through(lambda: session.discover("example.com", "Widget"))
        kind = await session.discover("example.com", "Widget")
        for number in range(5):
            made = meta.new(kind, f"w-{number}", DEFAULT, spec={"n": number})
            await let_through(partial(session.apply, made, manager=MANAGER))
    await vault.say(encrypt="widgets.example.com,configmaps")
    await vault.encrypted()
    assert PLAIN not in await vault.stored("example.com/widgets/")
    assert (await vault.stored("example.com/widgets/")).total() == 5
    assert PLAIN not in await vault.stored("configmaps/")
    await vault.say(encrypt="configmaps,secrets")
    await vault.until(lambda told: told[1] != "Encrypted")
    await vault.encrypted()
    assert set(await vault.stored("example.com/widgets/")) == {PLAIN}
    assert PLAIN not in await vault.stored("configmaps/")
    assert PLAIN not in await vault.stored()


async def test_a_plugin_takes_over_from_a_key_and_gives_back(vault: Vault, plugin: KmsPlugin) -> None:
    made = await vault.fill(20)
    await vault.say(encrypt="secrets")
    await vault.encrypted()
    mounts = {
        "additionalVolumes": [{"name": "kms", "emptyDir": {}}],
        "additionalVolumeMounts": {"apiServer": [{"name": "kms", "mountPath": str(plugin.folder)}]},
    }
    await vault.hosted.say(controlPlane={"deployment": {"replicas": 1, **mounts}})
    await vault.say(encryption_plugin=plugin.endpoint)
    await vault.until(lambda told: told[1] == "Preparing")
    await vault.encrypted()
    assert set(await vault.stored()) == {Plugin(plugin.endpoint).prefix.decode().rstrip(":")}
    assert plugin.encrypted > 0
    assert b"secretbox" not in meta.decoded(await vault.secret(MAIN))[FILE]
    assert await vault.read() == made
    await vault.say(encryption_plugin=None)
    await vault.until(lambda told: told[1] == "Preparing")
    await vault.encrypted()
    assert (await by_one_key(vault)).startswith("k8s:enc:secretbox:v1:key-")
    assert await vault.read() == made


async def test_a_tenant_that_ends_lets_go_of_its_keys(vault: Vault) -> None:
    await vault.say(encrypt="secrets")
    await vault.until(lambda told: told[1] == "Preparing")
    hosted = vault.hosted
    for name in (MAIN, COPY):
        assert (await vault.secret(name))["metadata"]["finalizers"] == [names.FINALIZER_KEY]
    await hosted.cluster.delete(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace)
    await hosted.look()
    await vault.rollout.vanish()
    async with asyncio.timeout(PATIENCE):
        while await hosted.cluster.get(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace):
            await hosted.look()
            await asyncio.sleep(0.2)
    for name in (MAIN, COPY):
        assert "finalizers" not in (await vault.secret(name))["metadata"], "garbage collection takes it"
        await hosted.cluster.delete(kinds.SECRET, name, hosted.namespace)
        assert await hosted.cluster.get(kinds.SECRET, name, hosted.namespace) is None


async def test_no_key_is_in_a_log_an_event_a_status_or_a_command_line(
    vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await vault.fill(3)
    await vault.say(encrypt="secrets")
    await vault.encrypted()
    content = meta.decoded(await vault.secret(MAIN))[FILE].decode()
    secret = next(line.split(": ")[1] for line in content.splitlines() if "secret:" in line)
    hosted = vault.hosted
    seen = [await hosted.tcp(), await hosted.get(kinds.DEPLOYMENT)]
    seen += await hosted.cluster.list(kinds.EVENT, hosted.namespace)
    assert secret not in caplog.text
    assert secret not in str(seen)


def widgets() -> dict[str, object]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [version],
    }
    return meta.new(kinds.CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", spec=spec)
