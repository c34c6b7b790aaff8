"""What is asked for, what pods are told, and what is said while it comes about, or cannot."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from provider.api import kinds, names
from provider.api.verdict import Invalid
from provider.hosting import encryption
from provider.hosting.encryption import document, resources, wish
from provider.hosting.encryption.document import Document, Key, Plugin
from provider.hosting.parts import PARTS
from provider.hosting.status import tenant as status
from provider.hosting.view import Stored
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.golden.world import tenant, view, walk
from tests.unit.provider.hosting.encryption.test_every_step import MOUNTED, SOCKET
from tests.unit.provider.hosting.encryption.vaults import COPY, MAIN, Vault, encrypted

OLD, NEW = Key(bytes(32)), Key(bytes(31) + b"\1")


def asking(said: str, plugin: str = "") -> Manifest:
    annotations = {names.ANNOTATION_ENCRYPT: said} | ({names.ANNOTATION_ENCRYPTION_PLUGIN: plugin} if plugin else {})
    return tenant(annotations=annotations, **MOUNTED)


def hurt(vault: Vault, name: str, old: bytes, new: bytes) -> None:
    where = ("Secret", "tenants", name)
    found = vault.objects[where]
    changed = meta.decoded(found)["encryption.yaml"].replace(old, new)
    assert changed != meta.decoded(found)["encryption.yaml"]
    vault.objects[where] = {**found, "data": meta.secret_data({"encryption.yaml": changed})}


@pytest.mark.parametrize(
    "said",
    [
        Document(),
        Document({"secrets": ""}, (OLD,)),
        Document({"secrets": OLD.name, "configmaps": ""}, (OLD,)),
        Document({"secrets": OLD.name, "widgets.example.com": NEW.name}, (OLD, NEW)),
        Document({"secrets": Plugin(SOCKET).name}, (OLD, Plugin(SOCKET))),
    ],
)
def test_what_is_written_is_read_again_and_its_writers_are_first(said: Document) -> None:
    found = document.read(document.written(said))
    assert found.writers == said.writers
    assert {each.name for each in found.readers} == {each.name for each in said.readers}
    for resource, writer in said.writers.items():
        prefix = said.reader(writer).prefix if writer else b""  # type: ignore[union-attr]
        assert found.wanted(resource) == prefix


def test_a_key_under_the_name_of_another_is_not_taken() -> None:
    said = document.written(Document({"secrets": OLD.name}, (OLD,)))
    other = said.replace(*(base64.b64encode(each.secret) for each in (OLD, NEW)))
    with pytest.raises(ValueError, match="as the provider writes it"):
        document.read(other)


def test_no_word_about_a_key_tells_it() -> None:
    assert base64.b64encode(OLD.secret).decode() not in repr(Document({"secrets": OLD.name}, (OLD,)))
    assert "secret=" not in repr(OLD)


@pytest.mark.parametrize(
    ("resource", "where"),
    [
        ("secrets", "secrets/"),
        ("deployments.apps", "deployments/"),
        ("roles.rbac.authorization.k8s.io", "roles/"),
        ("services", "services/specs/"),
        ("ingresses.networking.k8s.io", "ingress/"),
        ("nodes", "minions/"),
        ("widgets.example.com", "example.com/widgets/"),
        ("gateways.gateway.networking.k8s.io", "gateway.networking.k8s.io/gateways/"),
        ("customresourcedefinitions.apiextensions.k8s.io", "apiextensions.k8s.io/customresourcedefinitions/"),
    ],
)
def test_where_objects_lie_is_known_by_their_resource(resource: str, where: str) -> None:
    assert resources.folder(resource) == where


@pytest.mark.parametrize("said", ["Secrets", "*.*", "secrets;configmaps", "a b", "serviceipallocations", "s" * 300])
def test_a_list_that_is_none_is_refused_by_its_annotation(said: str) -> None:
    found = walk(view(asking(said))).declined["spec"]
    assert isinstance(found, Invalid)
    assert found.reason == "AnnotationInvalid"
    assert names.ANNOTATION_ENCRYPT in found.message


@pytest.mark.parametrize("plugin", ["/run/kms/a.sock", "unix://run/kms", "tcp://127.0.0.1:1", "unix:///run/kms/../x"])
def test_a_socket_that_is_none_is_refused(plugin: str) -> None:
    found = walk(view(asking("secrets", plugin))).declined["spec"]
    assert names.ANNOTATION_ENCRYPTION_PLUGIN in found.message


def test_a_socket_where_nothing_is_mounted_is_refused_with_what_to_mount() -> None:
    found = walk(view(asking("secrets", "unix:///run/other/plugin.sock"))).declined["spec"]
    assert "additionalVolumeMounts.apiServer" in found.message


def test_a_list_is_read_as_a_set() -> None:
    assert wish.of(view(asking(" secrets, configmaps ,secrets,"))).resources == ("configmaps", "secrets")


def test_a_new_tenant_writes_encrypted_from_its_first_object_on() -> None:
    walked = walk(view(asking("secrets")))
    held = encryption.held(walked.view)
    assert held is not None
    assert held.document.writers == {"secrets": held.key}
    assert "--encryption-provider-config=/etc/kubernetes/encryption/encryption.yaml" in walked.args("kube-apiserver")
    assert not any("encryption" in each for each in walked.args("kube-controller-manager"))


def test_pods_of_a_tenant_that_asks_for_nothing_are_as_they_were() -> None:
    walked = walk(view(tenant()))
    assert not any("encryption" in str(each) for each in (*walked.pod["volumes"], *walked.args("kube-apiserver")))
    labels = walked.one(kinds.DEPLOYMENT, "demo")["spec"]["template"]["metadata"]["labels"]
    assert encryption.LABEL not in labels


def test_the_plugin_is_asked_by_its_second_protocol() -> None:
    walked = walk(view(asking("secrets", SOCKET)))
    content = meta.decoded(walked.one(kinds.SECRET, MAIN))["encryption.yaml"].decode()
    assert f"endpoint: {SOCKET}" in content
    assert "apiVersion: v2" in content
    assert "secretbox" not in content


@pytest.mark.keeps("better.encryption-key-kept")
@pytest.mark.parametrize("lost", [MAIN, COPY])
def test_one_of_the_two_secrets_is_put_back_from_the_other_and_no_pod_is_made_anew(lost: str) -> None:
    vault = encrypted()
    before, template = vault.secret(lost), vault.template
    del vault.objects[("Secret", "tenants", lost)]
    vault.look()
    assert (vault.secret(lost), vault.template) == (before, template)
    hurt(vault, lost, b"secret: ", b"secret: AA")
    vault.look()
    assert (vault.secret(lost), vault.template) == (before, template)


@pytest.mark.keeps("better.encryption-key-kept")
@pytest.mark.parametrize("how", ["deleted", "changed"])
@pytest.mark.parametrize("still_asked", [True, False])
def test_a_key_that_is_lost_is_said_once_and_nothing_takes_its_place(how: str, still_asked: bool) -> None:
    vault = encrypted()
    template = vault.template
    kept = vault.objects[("Secret", "tenants", COPY)]
    for name in (MAIN, COPY):
        if how == "deleted":
            del vault.objects[("Secret", "tenants", name)]
        else:
            hurt(vault, name, b"secret: ", b"secret: AA")
    if not still_asked:
        vault.say(encrypt=None)
    for _ in range(3):
        vault.look()
    assert vault.told()[:2] == ("False", "EncryptionKeyLost")
    assert vault.template == template, "pods that run are left alone"
    assert (MAIN in {key[2] for key in vault.objects}) == (how == "changed")
    vault.objects[("Secret", "tenants", COPY)] = kept
    vault.say(encrypt="secrets")
    vault.settle(3)
    assert vault.told()[:2] == ("True", "Encrypted")
    assert (vault.template, vault.unreadable()) == (template, [])


def test_where_the_store_holds_what_another_key_encrypted_no_first_key_is_made() -> None:
    """As of a tenant that was moved here without its Secrets: no status and no pod tells of it."""
    walked = walk(view(asking("secrets"), stored=Stored(foreign=True)))
    found = walked.declined["encryption"]
    assert (found.reason, "encryption" in walked.said) == ("EncryptionKeyLost", False)


def test_a_request_on_the_secret_asks_for_another_key_as_well() -> None:
    vault = encrypted()
    first = vault.held()
    found = vault.objects[("Secret", "tenants", MAIN)]
    annotations = {**meta.annotations_of(found), names.ANNOTATION_ROTATE: ""}
    vault.objects[("Secret", "tenants", MAIN)] = {
        **found,
        "metadata": {**found["metadata"], "annotations": annotations},
    }
    vault.settle()
    second = vault.held()
    assert first is not None
    assert second is not None
    assert first.key != second.key
    dated = meta.annotations_of(vault.objects[("Secret", "tenants", MAIN)])[names.ANNOTATION_ROTATE]
    assert dated.startswith("2026-11-24T")
    vault.settle(2)
    assert vault.held() == second


def test_what_hinders_the_rewriting_is_told_with_how_much_is_left() -> None:
    vault = Vault().begin()
    vault.write("secrets", "a")
    vault.say(encrypt="secrets")
    for _ in range(2):
        vault.look()
        vault.roll()
    seen = vault.seen()
    assert seen.stored is not None
    told = replace(seen, stored=replace(seen.stored, trouble="secrets default/a: a webhook says no"))
    found = find(status.of(told, PARTS, {}, {})["conditions"], "Encrypted")
    assert found is not None
    assert found["reason"] == "Rewriting"
    assert "1 of 1 objects in the store" in found["message"]
    assert "it does not go on: secrets default/a: a webhook says no" in found["message"]


def brought(vault: Vault, secret: Manifest) -> None:
    """As a TenantRestore in place puts it beside what stands."""
    name = names.encryption_brought_secret("demo")
    metadata = {key: value for key, value in secret["metadata"].items() if key != "finalizers"} | {"name": name}
    vault.objects[("Secret", "tenants", name)] = {**secret, "metadata": metadata}


def test_objects_of_a_backup_are_read_with_the_key_of_then_and_written_with_the_key_of_now() -> None:
    vault = encrypted()
    then, stored = vault.objects[("Secret", "tenants", MAIN)], dict(vault.store)
    vault.say(rotate_encryption_key="one")
    vault.settle()
    now = vault.held()
    assert now is not None
    vault.say(restoring="uid")
    servers, vault.servers, vault.store = vault.servers, [], stored
    brought(vault, then)
    vault.look()
    vault.say(restoring=None)
    vault.look()
    vault.roll()
    assert vault.unreadable() == []
    assert servers != vault.servers
    vault.settle()
    held = vault.held()
    assert held is not None
    assert (held.key, [each.name for each in held.document.readers]) == (now.key, [now.key])
    assert set(vault.store.values()) == {held.document.wanted("secrets")}


def test_a_backup_brings_back_a_key_that_was_lost() -> None:
    vault = encrypted()
    then = vault.objects[("Secret", "tenants", MAIN)]
    for name in (MAIN, COPY):
        hurt(vault, name, b"secret: ", b"secret: AA")
    vault.look()
    brought(vault, then)
    vault.settle(3)
    assert vault.told()[:2] == ("True", "Encrypted")
    assert vault.secret(MAIN) == vault.secret(COPY) == meta.decoded(then)


def test_what_a_restore_brings_in_plain_text_is_written_once_more() -> None:
    vault = encrypted()
    vault.say(restoring="uid")
    vault.look()
    vault.store[("secrets", "of before")] = b"{}"
    vault.say(restoring=None)
    vault.look()
    assert vault.told()[:2] == ("False", "Rewriting")
    vault.settle(3)
    assert vault.told()[:2] == ("True", "Encrypted")
    assert b"{}" not in vault.store.values()


@pytest.mark.keeps("better.encryption-key-kept")
def test_who_deletes_both_secrets_at_once_finds_both_again() -> None:
    vault = encrypted()
    before, template = vault.secret(MAIN), vault.template
    for name in (MAIN, COPY):
        vault.delete(name)
    for _ in range(4):
        vault.look()
        assert before in (vault.secret(MAIN), vault.secret(COPY))
    assert (vault.secret(MAIN), vault.secret(COPY), vault.template) == (before, before, template)
    assert not any(
        "deletionTimestamp" in vault.objects[("Secret", "tenants", each)]["metadata"] for each in (MAIN, COPY)
    )
    assert vault.look() == 0
    vault.say(encrypt=None)
    vault.settle()
    assert [name for name in (MAIN, COPY) if vault.secret(name)] == [], "what nothing needs any more is not held"
